import { describe, expect, it } from 'vitest'
import type { AuditLine } from '@/api/types'
import { auditAction, auditResult } from '@/format/words'
import { day } from '@/format/time'
import { cameraHall, who } from '@/pages/audit/line'
import { shortcuts } from '@/pages/audit/period'

const line = (fields: Partial<AuditLine>): AuditLine => ({
  id: 1, at: '2026-11-23T10:00:00+08:00', user: 'li', name: '', by: 'password', action: 'sign_in', subject: '', result: 'ok', remote: '', ...fields,
})

describe('who', () => {
  it.each<[string, Partial<AuditLine>, string, string]>([
    ['a person', { name: '李四' }, '李四', 'li'],
    ['a person without a name', {}, 'li', ''],
    ['a line of an older version', { by: '', name: '李四' }, '李四', 'li'],
    ['a program', { by: 'token', user: 'report' }, '接口', 'report'],
    ['an account of the server', { by: 'command', user: 'root' }, '服务器命令', 'root'],
    ['a name nobody has', { user: '?1a2b3c4d' }, '未知账号', '1a2b3c4d'],
    ['one from before names were masked', { by: '', user: '?' }, '未知账号', ''],
  ])('names %s', (_what, fields, text, account) => expect(who(line(fields))).toMatchObject({ text, account }))

  it('says why a name is not kept', () => {
    expect(who(line({ user: '?1a2b3c4d' }))).toMatchObject({ unknown: true })
    expect(who(line({ user: '?1a2b3c4d' })).hint).toContain('可能是密码')
  })
})

it('knows a camera by its code', () => {
  expect(cameraHall('440900000000001-CM001')).toBe('440900000000001')
  for (const other of ['', 'li', '440900000000001', '440900000000001-CM01', 'x440900000000001-CM001']) expect(cameraHall(other)).toBe('')
})

it('shows what it has no word for', () => {
  expect(auditAction('fly')).toBe('fly')
  expect(auditResult('418')).toEqual({ text: '没有成功（418）', tone: 'warn' })
})

it('offers periods that end today in Beijing', () => {
  const late = Date.parse('2026-11-22T17:30:00Z') // the 23rd there
  const days = shortcuts(() => late).map((s) => s.value().map((d) => `${d.getFullYear()}-${d.getMonth() + 1}-${d.getDate()}`))
  expect(day(late)).toBe('2026-11-23')
  expect(days.slice(0, 2)).toEqual([['2026-11-23', '2026-11-23'], ['2026-11-17', '2026-11-23']])
})
