import { describe, expect, it } from 'vitest'
import { scopeText } from '@/format/words'
import { drawPassword, factor, parseScope, writeScope } from '@/pages/users/form'

describe('scopes', () => {
  it('are read as people type them', () => {
    expect(parseScope(' 4409， 440981;4401 ')).toEqual(['4409', '440981', '4401'])
    expect(parseScope('全部')).toEqual([''])
    expect(parseScope('')).toEqual([])
  })
  it('are written as they are read', () => {
    for (const scope of [['4409', '440981'], [''], []]) expect(parseScope(writeScope(scope))).toEqual(scope)
  })
  it('are told in words', () => {
    expect(scopeText([''])).toBe('全部大厅')
    expect(scopeText([])).toBe('没有大厅')
    expect(scopeText(['4409', '4401'])).toBe('编码以 4409、4401 开头的大厅')
  })
})

it('says what people show beside their passwords', () => {
  const none = { roles: ['admin'] as const, second_factor: false, certificate: false }
  expect(factor(none)).toEqual({ text: '没有', tone: 'warn' })
  expect(factor({ ...none, roles: ['viewer'] })).toEqual({ text: '没有', tone: 'off' })
  expect(factor({ ...none, certificate: true })).toEqual({ text: '个人证书', tone: 'ok' })
  expect(factor({ ...none, certificate: true, second_factor: true })).toEqual({ text: '动态口令、个人证书', tone: 'ok' })
})

describe('drawPassword', () => {
  it('gives another one each time, long enough and readable', () => {
    const drawn = new Set(Array.from({ length: 200 }, drawPassword))
    expect(drawn.size).toBe(200)
    for (const p of drawn) expect(p).toMatch(/^[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){2}$/)
  })
})
