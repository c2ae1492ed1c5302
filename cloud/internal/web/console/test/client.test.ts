import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Api, Problem, sentence, Unreachable } from '@/api/client'
import { json } from './cloud'

let answer: () => Promise<Response>
let asked: { path: string; init: RequestInit }[]
let signedOut: string[]
let api: Api

beforeEach(() => {
  asked = []
  signedOut = []
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    asked.push({ path, init })
    return answer()
  })
  api = new Api()
  api.onSignedOut = (why) => signedOut.push(why)
})
afterEach(() => vi.unstubAllGlobals())

const rejection = async (p: Promise<unknown>): Promise<unknown> => p.then(() => undefined, (e: unknown) => e)

describe('Api', () => {
  it('leaves empty filters out and escapes the rest', async () => {
    answer = () => Promise.resolve(json({ items: [], total: 0 }))
    await api.tickets({ hall: '440900000000001', state: '', number: 'A&1', page: 2 })
    expect(asked[0]?.path).toBe('/api/v1/tickets?hall=440900000000001&number=A%261&page=2')
    await api.cameras({ live: false })
    expect(asked[1]?.path).toBe('/api/v1/cameras?live=false')
  })

  it('reports a lost session, and still fails the call', async () => {
    answer = () => Promise.resolve(json({ code: 'sign_in', detail: '请先登录。' }, 401))
    expect(await rejection(api.hall('1'))).toBeInstanceOf(Problem)
    expect(signedOut).toEqual(['请先登录。'])
  })

  it('takes a wrong password and an unknown visitor for no lost session', async () => {
    answer = () => Promise.resolve(json({ code: 'sign_in_failed', detail: '账号或密码不对。', advice: '请重新输入。' }, 401))
    expect(sentence(await rejection(api.signIn('ops', 'x', '')))).toBe('账号或密码不对。请重新输入。')
    expect(await api.session()).toBeNull()
    expect(signedOut).toEqual([])
  })

  it('reads how long a lock lasts', async () => {
    answer = () => Promise.resolve(json({ code: 'locked', detail: '已锁定。' }, 429, { 'Retry-After': '300' }))
    expect(await rejection(api.signIn('ops', 'x', ''))).toMatchObject({ status: 429, code: 'locked', retryAfterS: 300 })
  })

  it('says the title of a problem without a detail', async () => {
    answer = () => Promise.resolve(json({ code: 'busy', title: '正忙' }, 503))
    expect(sentence(await rejection(api.hall('1')))).toBe('正忙。')
  })

  it('speaks for itself when a proxy or nobody answers', async () => {
    answer = () => Promise.resolve(new Response('<h1>502</h1>', { status: 502 }))
    expect(sentence(await rejection(api.hall('1')))).toBe('服务器返回错误 502。')
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    expect(await rejection(api.hall('1'))).toBeInstanceOf(Unreachable)
  })
})
