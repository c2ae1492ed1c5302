import { describe, expect, it } from 'vitest'
import { ago, clock, dateTime, day, dayAfter, moment, parseTime, span } from '@/format/time'

// 2026-11-23 23:30:05 in Beijing, still the 23rd at 15:30 UTC.
const late = new Date('2026-11-23T15:30:05Z')

describe('times are Beijing time on any machine', () => {
  it('writes clock and day', () => {
    expect(clock(late)).toBe('23:30:05')
    expect(clock(new Date('2026-11-23T16:00:00Z'))).toBe('00:00:00')
    expect(day(new Date('2026-11-23T16:00:00Z'))).toBe('2026-11-24')
    expect(dateTime(late)).toBe('2026-11-23 23:30:05')
  })

  it('shortens what is near', () => {
    const now = new Date('2026-11-23T15:40:00Z')
    expect(moment(late, now)).toBe('23:30:05')
    expect(moment(new Date('2026-11-22T15:30:05Z'), now)).toBe('11-22 23:30')
    expect(moment(new Date('2025-12-31T15:30:05Z'), now)).toBe('2025-12-31 23:30')
  })
})

describe('span', () => {
  it.each([
    [0, '0 秒'], [59.9, '59 秒'], [60, '1 分钟'], [3599, '59 分钟'], [3600, '1 小时'], [3900, '1 小时 5 分'],
    [86_400, '1 天'], [100_000, '1 天 3 小时'], [-5, '0 秒'],
  ])('%d s is %s', (seconds, text) => expect(span(seconds)).toBe(text))

  it('says how long ago, also when the clocks differ', () => {
    expect(ago(late, late.getTime() + 4_000)).toBe('刚刚')
    expect(ago(late, late.getTime() - 60_000)).toBe('刚刚')
    expect(ago(late, late.getTime() + 90_000)).toBe('1 分钟前')
  })
})

describe('parseTime', () => {
  it('knows no time', () => {
    for (const text of [null, undefined, '', 'soon', '0001-01-01T00:00:00Z']) expect(parseTime(text)).toBeNull()
    expect(parseTime('2026-11-23T23:30:05+08:00')).toEqual(late)
  })
})

describe('dayAfter', () => {
  it('crosses months and leaves nonsense alone', () => {
    expect(dayAfter('2026-03-01', -1)).toBe('2026-02-28')
    expect(dayAfter('2026-12-31', 1)).toBe('2027-01-01')
    expect(dayAfter('yesterday', 1)).toBe('yesterday')
  })
})
