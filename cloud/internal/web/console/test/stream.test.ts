import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Api } from '@/api/client'
import { LiveStream, silenceMS } from '@/live/stream'
import { hall, json, StreamEnd } from './cloud'

// The network is replaced at fetch; everything on this side of it is the console's own.
let answers: (StreamEnd | Response | Error)[]
let asked: number
let stream: LiveStream
let signedOut: number

beforeEach(() => {
  vi.useFakeTimers()
  answers = []
  asked = 0
  signedOut = 0
  vi.stubGlobal('fetch', () => {
    asked++
    const answer = answers.shift() ?? new TypeError('network down')
    if (answer instanceof Error) return Promise.reject(answer)
    return Promise.resolve(answer instanceof Response ? answer : answer.response)
  })
  const api = new Api()
  api.onSignedOut = () => { signedOut++ }
  stream = new LiveStream(api)
})

afterEach(() => {
  stream.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const settle = () => vi.advanceTimersByTimeAsync(0)

describe('LiveStream', () => {
  it('tells of readiness and of changes', async () => {
    const end = new StreamEnd()
    answers = [end]
    const ready = vi.fn()
    const seen: number[] = []
    stream.onRefresh(ready)
    const stop = stream.onChange((c) => seen.push(c.hall.waiting))
    stream.start()
    expect(stream.state.value).toBe('connecting')
    end.ready()
    end.change(hall('1', { waiting: 5 }))
    await settle()
    expect(stream.state.value).toBe('live')
    expect(ready).toHaveBeenCalledTimes(1)
    stop()
    end.change(hall('1', { waiting: 6 }))
    await settle()
    expect(seen).toEqual([5])
  })

  it('reconnects when the line ends, and asks for everything again', async () => {
    const [first, second] = [new StreamEnd(), new StreamEnd()]
    answers = [first, new TypeError('network down'), second]
    const ready = vi.fn()
    stream.onRefresh(ready)
    stream.start()
    first.ready()
    await settle()
    first.end()
    await settle()
    expect(stream.stale.value).toBe(true)
    const heard = stream.heardAt.value
    await vi.advanceTimersByTimeAsync(1_200) // the failing second try
    expect(stream.attempt.value).toBe(2)
    await vi.advanceTimersByTimeAsync(2_400)
    second.ready()
    await settle()
    expect(stream.state.value).toBe('live')
    expect(stream.attempt.value).toBe(0)
    expect(stream.heardAt.value).toBeGreaterThan(heard ?? Infinity)
    expect(ready).toHaveBeenCalledTimes(2)
  })

  it('lets pages fill when there is no stream to be had', async () => {
    const refresh = vi.fn()
    stream.onRefresh(refresh)
    answers = [json({ code: 'too_many_streams', detail: '订阅太多。' }, 503)]
    stream.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toBeGreaterThan(3)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(stream.stale.value).toBe(true)
  })

  it('gives up on a silent line; heartbeats keep it', async () => {
    const end = new StreamEnd()
    answers = [end]
    stream.start()
    end.ready()
    await vi.advanceTimersByTimeAsync(silenceMS - 1)
    end.write(': heartbeat\n\n')
    await vi.advanceTimersByTimeAsync(silenceMS - 1)
    expect(stream.state.value).toBe('live')
    await vi.advanceTimersByTimeAsync(1)
    expect(stream.state.value).toBe('broken')
    expect(end.cancelled).toBe(true)
  })

  it('stops at a lost session', async () => {
    answers = [json({ code: 'sign_in', detail: '请先登录。' }, 401)]
    stream.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(signedOut).toBe(1)
    expect(asked).toBe(1)
  })

  it('ends with the session, and says why', async () => {
    const end = new StreamEnd()
    answers = [end]
    const why: string[] = []
    stream.onEnded = (text) => why.push(text)
    stream.start()
    end.ready()
    end.write('event: ended\ndata: {"code":"session_signed_out","detail":"您已在另一个页面退出登录。"}\n\n')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(why).toEqual(['您已在另一个页面退出登录。'])
    expect(asked).toBe(1)
    expect(signedOut).toBe(0)
  })

  it('ends when it is stopped', async () => {
    const end = new StreamEnd()
    answers = [end]
    stream.start()
    end.ready()
    await settle()
    stream.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(end.cancelled).toBe(true)
    expect(asked).toBe(1)
    expect(stream.state.value).toBe('off')
  })
})
