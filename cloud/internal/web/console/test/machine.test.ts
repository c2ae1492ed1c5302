import { describe, expect, it } from 'vitest'
import { idle, next, quickTries, wantsSession, type Failure, type PlayerEvent, type PlayerState } from '@/player/machine'

const gone: Failure = { text: '视频通道中断', retry: true }
const refused: Failure = { text: '没有查看权限', retry: false }

/** Runs events through the machine at time 0 with the mean delay. */
function after(...events: PlayerEvent[]): PlayerState {
  return events.reduce((s, e) => next(s, e, 0, 0.5), idle)
}

/** One lost try and the next one begun. */
function again(s: PlayerState): PlayerState {
  const lost = next(s, { type: 'lost', failure: gone }, 0, 0.5)
  return next(lost, { type: 'tick' }, lost.retryAt ?? 0, 0.5)
}

describe('player', () => {
  it('connects, plays and forgets earlier trouble', () => {
    const connecting = after({ type: 'start' })
    expect(connecting).toEqual({ phase: 'connecting', attempt: 1, reason: null, retryAt: null })
    const playing = next(again(connecting), { type: 'picture' }, 0, 0)
    expect(playing).toEqual({ phase: 'playing', attempt: 0, reason: null, retryAt: null })
  })

  it('reconnects with the reason and a growing wait', () => {
    let s = after({ type: 'start' }, { type: 'picture' })
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      const lost = next(s, { type: 'lost', failure: gone }, 1_000, 0.5)
      expect(lost.reason).toBe(gone)
      expect(wantsSession(lost)).toBe(false)
      waits.push((lost.retryAt ?? 0) - 1_000)
      s = next(lost, { type: 'tick' }, lost.retryAt ?? 0, 0.5)
      expect(wantsSession(s)).toBe(true)
    }
    expect(waits).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  })

  it('spreads the waits of many players', () => {
    const s = after({ type: 'start' })
    expect(next(s, { type: 'lost', failure: gone }, 0, 0).retryAt).toBe(800)
    expect(next(s, { type: 'lost', failure: gone }, 0, 0.999).retryAt).toBe(1_200)
  })

  it('does not try before the time', () => {
    const lost = after({ type: 'start' }, { type: 'lost', failure: gone })
    expect(next(lost, { type: 'tick' }, 999, 0)).toBe(lost)
    expect(next(lost, { type: 'tick' }, 1_000, 0).attempt).toBe(2)
  })

  it('says that it failed after a few tries, and goes on trying', () => {
    let s = after({ type: 'start' })
    for (let i = 1; i < quickTries; i++) {
      expect(next(s, { type: 'lost', failure: gone }, 0, 0).phase).toBe('reconnecting')
      s = again(s)
    }
    const failed = next(s, { type: 'lost', failure: gone }, 0, 0)
    expect(failed.phase).toBe('failed')
    expect(failed.retryAt).not.toBeNull()
  })

  it('leaves a refusal to people', () => {
    const s = after({ type: 'start' }, { type: 'lost', failure: refused })
    expect(s).toEqual({ phase: 'failed', attempt: 1, reason: refused, retryAt: null })
    expect(next(s, { type: 'tick' }, 1e9, 0)).toBe(s)
    expect(wantsSession(next(s, { type: 'retry' }, 0, 0))).toBe(true)
  })

  it('takes no orders out of turn', () => {
    const playing = after({ type: 'start' }, { type: 'picture' })
    expect(next(playing, { type: 'start' }, 0, 0)).toBe(playing)
    expect(next(playing, { type: 'retry' }, 0, 0)).toBe(playing)
    expect(next(idle, { type: 'lost', failure: gone }, 0, 0)).toBe(idle)
    expect(next(idle, { type: 'picture' }, 0, 0)).toBe(idle)
    const waiting = after({ type: 'start' }, { type: 'lost', failure: gone })
    expect(next(waiting, { type: 'picture' }, 0, 0)).toBe(waiting)
    expect(next(waiting, { type: 'stop' }, 0, 0)).toBe(idle)
  })
})
