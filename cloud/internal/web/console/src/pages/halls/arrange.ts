import type { Hall, HallState, Profile } from '@/api/types'

/** What of all halls is wanted. Empty texts mean "any". `alarm` stands for halls with a warning or an error. */
export interface Wanted {
  q: string
  region: string
  profile: Profile | 'any'
  state: HallState | 'alarm' | ''
}

export const columns = ['id', 'name', 'region', 'state', 'waiting', 'windows_open', 'devices_bad', 'facts_pending', 'seen_at'] as const
export type Column = (typeof columns)[number]

export interface Totals {
  all: number
  states: Record<HallState, number>
  alarm: number
  waiting: number
  serving: number
  takenToday: number
  windowsOpen: number
  windows: number
  devicesBad: number
  factsPending: number
}

export function hasAlarm(h: Hall): boolean {
  return h.severity === 'warning' || h.severity === 'error'
}

export function matches(h: Hall, w: Wanted): boolean {
  const q = w.q.trim().toLowerCase()
  return (
    (q === '' || h.name.toLowerCase().includes(q) || h.id.includes(q) || h.region.toLowerCase().includes(q)) &&
    (w.region === '' || h.region === w.region) &&
    (w.profile === 'any' || h.profile === w.profile) &&
    (w.state === '' || (w.state === 'alarm' ? hasAlarm(h) : h.state === w.state))
  )
}

const chinese = new Intl.Collator('zh-CN', { numeric: true })
const stateRank: Record<HallState, number> = { never: 0, online: 1, stale: 2, offline: 3 }
const severityRank = { '': 0, info: 1, warning: 2, error: 3 }

/** Compares in rising order; equal halls stay in the order of their codes. */
export function compare(a: Hall, b: Hall, by: Column): number {
  return difference(a, b, by) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

function difference(a: Hall, b: Hall, by: Column): number {
  switch (by) {
    case 'id':
      return 0
    case 'name':
    case 'region':
      return chinese.compare(a[by], b[by])
    case 'state':
      return stateRank[a.state] - stateRank[b.state] || severityRank[a.severity] - severityRank[b.severity]
    case 'seen_at':
      return seconds(a.seen_at) - seconds(b.seen_at)
    default:
      return a[by] - b[by]
  }
}

function seconds(at: string | null): number {
  return at === null ? 0 : Date.parse(at)
}

export function totals(halls: readonly Hall[]): Totals {
  const t: Totals = {
    all: halls.length, states: { online: 0, stale: 0, offline: 0, never: 0 }, alarm: 0, waiting: 0, serving: 0,
    takenToday: 0, windowsOpen: 0, windows: 0, devicesBad: 0, factsPending: 0,
  }
  for (const h of halls) {
    t.states[h.state]++
    if (hasAlarm(h)) t.alarm++
    t.waiting += h.waiting
    t.serving += h.serving
    t.takenToday += h.taken_today
    t.windowsOpen += h.windows_open
    t.windows += h.windows
    t.devicesBad += h.devices_bad
    t.factsPending += h.facts_pending
  }
  return t
}

export function regions(halls: readonly Hall[]): string[] {
  return [...new Set(halls.map((h) => h.region).filter((r) => r !== ''))].sort(chinese.compare)
}
