import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Api } from '@/api/client'
import { ownPath, SignedIn } from '@/session/session'
import { json } from './cloud'

let answer: Response
let session: SignedIn

beforeEach(() => {
  vi.stubGlobal('fetch', () => Promise.resolve(answer))
  session = new SignedIn(new Api())
})
afterEach(() => vi.unstubAllGlobals())

async function signIn(): Promise<void> {
  answer = json({ user: 'li', name: '李四', roles: ['viewer'], scope: [''], must: '', second_factor: false, recovery_left: 0, by: 'password', expires_at: null }, 201)
  await session.signIn('li', 'right', '')
}

describe('SignedIn', () => {
  it('keeps the first reason why a session ended, until the next sign-in', async () => {
    await signIn()
    session.forget('账号已停用。')
    session.forget('请先登录。') // an answer that was under way
    expect(session.user.value).toBeNull()
    expect(session.farewell.value).toBe('账号已停用。')
    await signIn()
    expect(session.farewell.value).toBe('')
  })

  it('has nothing to say after signing out', async () => {
    await signIn()
    answer = new Response(null, { status: 204 })
    await session.signOut()
    expect(session.user.value).toBeNull()
    session.forget('请先登录。') // an answer that was under way
    expect(session.farewell.value).toBe('')
  })

  it('has nothing to say to a first visitor', async () => {
    answer = json({ code: 'sign_in', detail: '请先登录。' }, 401)
    expect(await session.current()).toBeNull()
    expect(session.farewell.value).toBe('')
  })
})

it('only leads to pages of our own after signing in', () => {
  expect(ownPath('/halls?q=1')).toBe('/halls?q=1')
  for (const other of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '', null, undefined, ['/halls']]) {
    expect(ownPath(other)).toBe('')
  }
})
