import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Api } from '@/api/client'
import type { Hall } from '@/api/types'
import { HallBook } from '@/live/halls'
import { LiveStream } from '@/live/stream'
import { hall, json, StreamEnd } from './cloud'

let cloud: Hall[]
let down: boolean
let pageMS: number // how long the cloud takes for a page
let end: StreamEnd
let stream: LiveStream
let book: HallBook

beforeEach(() => {
  vi.useFakeTimers()
  cloud = Array.from({ length: 450 }, (_, i) => hall(String(i)))
  down = false
  pageMS = 1
  end = new StreamEnd()
  vi.stubGlobal('fetch', (path: string) => {
    if (path === '/api/v1/stream') return Promise.resolve(end.response)
    if (down) return Promise.reject(new TypeError('network down'))
    const params = new URL(path, 'http://cloud').searchParams
    const [page, size] = [Number(params.get('page')), Number(params.get('size'))]
    const answer = json({ items: cloud.slice((page - 1) * size, page * size), total: cloud.length })
    return new Promise((resolve) => setTimeout(() => resolve(answer), pageMS))
  })
  const api = new Api()
  stream = new LiveStream(api)
  book = new HallBook(api, stream)
})

afterEach(() => {
  stream.stop()
  book.clear()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

async function open(): Promise<void> {
  stream.start()
  end.ready()
  await vi.advanceTimersByTimeAsync(10)
}

describe('HallBook', () => {
  it('reads all pages when the stream is ready', async () => {
    expect(book.loaded.value).toBe(false)
    await open()
    expect(book.loaded.value).toBe(true)
    expect(book.all.value).toHaveLength(450)
    expect(book.name('449')).toBe('449大厅')
    expect(book.name('999')).toBe('999')
  })

  it('shows changes in one go', async () => {
    await open()
    const first = book.all.value
    for (let n = 1; n <= 20; n++) end.change(hall('7', { waiting: n }))
    end.change(hall('new'))
    await vi.advanceTimersByTimeAsync(100)
    expect(book.all.value).toBe(first)
    await vi.advanceTimersByTimeAsync(500)
    expect(book.get('7')?.waiting).toBe(20)
    expect(book.all.value).toHaveLength(451)
  })

  it('does not let a list overwrite a newer change', async () => {
    pageMS = 1_000
    await open()
    await vi.advanceTimersByTimeAsync(100)
    end.change(hall('3', { waiting: 99 })) // the first page, with hall 3 as it was, is already on its way
    await vi.advanceTimersByTimeAsync(3_000)
    expect(book.loaded.value).toBe(true)
    expect(book.get('3')?.waiting).toBe(99)
  })

  it('keeps what it has when the list cannot be read again, and says so', async () => {
    await open()
    down = true
    end.ready()
    await vi.advanceTimersByTimeAsync(10)
    expect(book.error.value).toBeInstanceOf(Error)
    expect(book.all.value).toHaveLength(450)
    down = false
    end.ready()
    await vi.advanceTimersByTimeAsync(10)
    expect(book.error.value).toBeNull()
  })
})
