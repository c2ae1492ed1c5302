import { day, dayAfter } from '@/format/time'

interface Shortcut {
  text: string
  value: () => [Date, Date]
}

// The picker thinks in the machine's own zone, the console in Beijing's: a day is handed over as that day's noon, which is in
// the same day for both.
const noon = (text: string): Date => new Date(`${text}T12:00:00`)

/** Periods that are often asked for. They end today. */
export function shortcuts(now: () => number = Date.now): Shortcut[] {
  const last = (days: number) => (): [Date, Date] => {
    const today = day(now())
    return [noon(dayAfter(today, 1 - days)), noon(today)]
  }
  return [
    { text: '今天', value: last(1) },
    { text: '最近 7 天', value: last(7) },
    { text: '最近 30 天', value: last(30) },
    { text: '最近 180 天', value: last(180) },
  ]
}
