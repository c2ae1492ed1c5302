import { describe, expect, it } from 'vitest'
import { videoRates, videoStats, type VideoStats } from '@/player/stats'

// As Chromium 156 reports a received H.264 track.
const report = new Map<string, { type: string }>(Object.entries({
  CIT01_102: { type: 'codec', mimeType: 'video/H264', payloadType: 102 },
  IT01A: { type: 'inbound-rtp', kind: 'audio', timestamp: 5_000, bytesReceived: 1 },
  IT01V: {
    type: 'inbound-rtp', kind: 'video', timestamp: 5_000, codecId: 'CIT01_102', bytesReceived: 640_000, framesDecoded: 75,
    packetsReceived: 560, packetsLost: 0, frameWidth: 1280, frameHeight: 720, jitterBufferDelay: 3.75, jitterBufferEmittedCount: 75,
  },
  T01: { type: 'transport' },
}))

describe('videoStats', () => {
  it('finds the video and its codec', () => {
    expect(videoStats(report)).toEqual({
      at: 5_000, bytes: 640_000, framesDecoded: 75, packetsReceived: 560, packetsLost: 0,
      width: 1280, height: 720, codec: 'H264', bufferS: 3.75, bufferFrames: 75,
    })
  })

  it('lives with what is missing', () => {
    expect(videoStats(new Map())).toBeNull()
    const bare = new Map<string, { type: string }>([['v', { type: 'inbound-rtp', kind: 'video', timestamp: 1 } as { type: string }]])
    expect(videoStats(bare)).toMatchObject({ bytes: 0, codec: '', width: 0 })
  })
})

describe('videoRates', () => {
  const before: VideoStats = {
    at: 5_000, bytes: 640_000, framesDecoded: 75, packetsReceived: 560, packetsLost: 2, width: 1280, height: 720,
    codec: 'H264', bufferS: 3.75, bufferFrames: 75,
  }

  it('gives rates per second', () => {
    const after = { ...before, at: 7_000, bytes: 890_000, framesDecoded: 105, packetsReceived: 755, packetsLost: 7, bufferS: 5.25, bufferFrames: 105 }
    const rates = videoRates(before, after)
    expect(rates).toMatchObject({ bitsPS: 1_000_000, fps: 15, loss: 0.025 })
    expect(rates?.bufferMS).toBeCloseTo(50)
  })

  it('says nothing about no time, and no buffer without frames', () => {
    expect(videoRates(before, before)).toBeNull()
    expect(videoRates(before, { ...before, at: 6_000 })).toEqual({ bitsPS: 0, fps: 0, loss: 0, bufferMS: null })
  })

  it('takes packets that were found again for no loss', () => {
    expect(videoRates(before, { ...before, at: 6_000, packetsLost: 0, packetsReceived: 570 })?.loss).toBe(0)
  })
})
