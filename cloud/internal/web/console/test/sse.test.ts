import { describe, expect, it } from 'vitest'
import { EventCutter } from '@/live/sse'

const text = ': heartbeat\n\nevent: ready\ndata: {"at":"now"}\n\nid: 7\nevent: change\ndata: {"a":\ndata: 1}\n\ndata:bare\n\n'
const events = [
  { event: 'ready', data: '{"at":"now"}' },
  { event: 'change', data: '{"a":\n1}' },
  { event: 'message', data: 'bare' },
]

describe('EventCutter', () => {
  it.each([['LF', '\n'], ['CRLF', '\r\n']])('cuts %s lines wherever the pieces end', (_name, end) => {
    const stream = text.replaceAll('\n', end)
    for (let size = 1; size <= stream.length; size++) {
      const cutter = new EventCutter()
      const got = []
      for (let at = 0; at < stream.length; at += size) got.push(...cutter.feed(stream.slice(at, at + size)))
      expect(got, `pieces of ${size}`).toEqual(events)
    }
  })

  it('keeps an unfinished event back', () => {
    const cutter = new EventCutter()
    expect(cutter.feed('event: change\ndata: 1\n')).toEqual([])
    expect(cutter.feed('\n')).toEqual([{ event: 'change', data: '1' }])
  })
})
