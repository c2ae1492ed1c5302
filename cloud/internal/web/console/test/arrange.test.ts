import { describe, expect, it } from 'vitest'
import { compare, matches, regions, totals, type Column, type Wanted } from '@/pages/halls/arrange'
import { hall } from './cloud'

const any: Wanted = { q: '', region: '', profile: 'any', state: '' }
const halls = [
  hall('440902000000001', { name: '茂南区政务服务中心', waiting: 12, devices_bad: 0, windows: 10, windows_open: 8 }),
  hall('440904001000001', { name: '电白区水东镇便民服务中心', region: '电白区', profile: 'town', waiting: 3, severity: 'error', devices_bad: 2 }),
  hall('440981002003001', { name: '高州市龙湾村党群服务中心', region: '高州市', profile: 'village', state: 'offline', seen_at: null, severity: 'info' }),
  hall('440982002003001', { name: '', region: '', profile: '', state: 'never', seen_at: null }),
]
const names = (wanted: Partial<Wanted>) => halls.filter((h) => matches(h, { ...any, ...wanted })).map((h) => h.id.slice(0, 6))
const sorted = (by: Column) => [...halls].sort((a, b) => compare(a, b, by)).map((h) => h.id.slice(0, 6))

describe('matches', () => {
  it.each<[string, Partial<Wanted>, string[]]>([
    ['everything', {}, ['440902', '440904', '440981', '440982']],
    ['part of a name', { q: ' 水东 ' }, ['440904']],
    ['part of a code', { q: '440981' }, ['440981']],
    ['part of a region', { q: '高州' }, ['440981']],
    ['a region', { region: '茂南区' }, ['440902']],
    ['a level', { profile: 'town' }, ['440904']],
    ['an unknown level', { profile: '' }, ['440982']],
    ['a state', { state: 'offline' }, ['440981']],
    ['alarms, and info is none', { state: 'alarm' }, ['440904']],
    ['all conditions at once', { q: '中心', region: '电白区', state: 'offline' }, []],
  ])('finds %s', (_what, wanted, ids) => expect(names(wanted)).toEqual(ids))
})

describe('compare', () => {
  it.each<[Column, string[]]>([
    ['id', ['440902', '440904', '440981', '440982']],
    ['waiting', ['440981', '440982', '440904', '440902']],
    ['state', ['440982', '440902', '440904', '440981']],
    ['region', ['440982', '440904', '440981', '440902']], // by pinyin: none, diàn, gāo, mào
    ['seen_at', ['440981', '440982', '440902', '440904']],
  ])('orders by %s', (by, ids) => expect(sorted(by)).toEqual(ids))
})

it('adds up', () => {
  expect(totals(halls)).toMatchObject({
    all: 4, states: { online: 2, stale: 0, offline: 1, never: 1 }, alarm: 1, waiting: 15, windowsOpen: 8, windows: 10, devicesBad: 2,
  })
})

it('lists regions by pinyin, once', () => expect(regions([...halls, ...halls])).toEqual(['电白区', '高州市', '茂南区']))
