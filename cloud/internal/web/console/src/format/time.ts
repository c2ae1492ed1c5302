// Times on the pages are Beijing time whatever the operator's machine is set to.
const zone = 'Asia/Shanghai'

const clockFormat = new Intl.DateTimeFormat('zh-CN', {
  timeZone: zone, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
})
const dayFormat = new Intl.DateTimeFormat('sv-SE', { timeZone: zone }) // the Swedish form is 2026-11-23

/** 14:03:09 */
export function clock(at: Date | number): string {
  return clockFormat.format(at)
}

/** 2026-11-23 */
export function day(at: Date | number): string {
  return dayFormat.format(at)
}

/** The calendar day some days after a day written as 2026-11-23; the text itself when it is no such day. */
export function dayAfter(text: string, days: number): string {
  const at = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(at) ? text : new Date(at + days * 86_400_000).toISOString().slice(0, 10)
}

/** 2026-11-23 14:03:09 */
export function dateTime(at: Date | number): string {
  return `${day(at)} ${clock(at)}`
}

/** The shortest form that is still exact: the clock today, 11-22 14:03 this year, the whole date before. */
export function moment(at: Date | number, now: Date | number): string {
  const date = day(at)
  const today = day(now)
  if (date === today) return clock(at)
  const minutes = clock(at).slice(0, 5)
  return date.slice(0, 4) === today.slice(0, 4) ? `${date.slice(5)} ${minutes}` : `${date} ${minutes}`
}

/** 45 秒, 12 分钟, 1 小时 5 分, 3 天 4 小时. Negative spans (clocks differ) count as 0. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  if (s < 60) return `${s} 秒`
  const m = Math.floor(s / 60)
  if (m < 60) return `${m} 分钟`
  const h = Math.floor(m / 60)
  if (h < 24) return m % 60 === 0 ? `${h} 小时` : `${h} 小时 ${m % 60} 分`
  const d = Math.floor(h / 24)
  return h % 24 === 0 ? `${d} 天` : `${d} 天 ${h % 24} 小时`
}

/** 刚刚, 45 秒前, 12 分钟前 … */
export function ago(at: Date | number, now: Date | number): string {
  const seconds = (Number(now) - Number(at)) / 1000
  return seconds < 5 ? '刚刚' : `${span(seconds)}前`
}

/** The time of an RFC 3339 text, or null when there is none: Go's zero time 0001-01-01 means "never". */
export function parseTime(text: string | null | undefined): Date | null {
  if (!text) return null
  const at = new Date(text)
  return Number.isNaN(at.getTime()) || at.getTime() <= 0 ? null : at
}
