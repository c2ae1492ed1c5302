// The rules of the player without any browser in them: what state it is in, why, and when it tries again.
import { backoffMS } from '@/backoff'

/** Why a picture ended or never came. `retry` says whether trying again can help without anybody's doing. */
export interface Failure {
  text: string
  retry: boolean
}

export type Phase = 'idle' | 'connecting' | 'playing' | 'reconnecting' | 'failed'

export interface PlayerState {
  phase: Phase
  /** Tries since the last picture, this one included. */
  attempt: number
  /** Why the last try ended; null while all is well. */
  reason: Failure | null
  /** When the next try begins (ms of the monotonic clock); null when one is under way or none will come. */
  retryAt: number | null
}

export type PlayerEvent =
  | { type: 'start' }
  | { type: 'picture' }
  | { type: 'lost'; failure: Failure }
  | { type: 'tick' }
  | { type: 'retry' }
  | { type: 'stop' }

/** Tries that count as a hiccup; after them the page says that it failed, and still goes on trying. */
export const quickTries = 3

const firstDelayMS = 1_000
const maxDelayMS = 30_000

export const idle: PlayerState = { phase: 'idle', attempt: 0, reason: null, retryAt: null }

/** Whether a connection belongs to this state. */
export function wantsSession(s: PlayerState): boolean {
  return s.phase === 'playing' || s.phase === 'connecting' || (s.phase === 'reconnecting' && s.retryAt === null)
}

/** The state after an event. now is the monotonic clock in ms, random a number in [0,1). */
export function next(s: PlayerState, event: PlayerEvent, now: number, random: number): PlayerState {
  switch (event.type) {
    case 'start':
      return s.phase === 'idle' ? { phase: 'connecting', attempt: 1, reason: null, retryAt: null } : s
    case 'stop':
      return idle
    case 'picture':
      return wantsSession(s) && s.phase !== 'playing' ? { phase: 'playing', attempt: 0, reason: null, retryAt: null } : s
    case 'lost':
      return wantsSession(s) ? afterLoss(s, event.failure, now, random) : s
    case 'tick':
      return s.retryAt !== null && now >= s.retryAt ? anotherTry(s) : s
    case 'retry':
      return s.phase === 'failed' || s.retryAt !== null ? anotherTry(s) : s
  }
}

function afterLoss(s: PlayerState, failure: Failure, now: number, random: number): PlayerState {
  if (!failure.retry) return { phase: 'failed', attempt: s.attempt, reason: failure, retryAt: null }
  return {
    phase: s.attempt < quickTries ? 'reconnecting' : 'failed',
    attempt: s.attempt,
    reason: failure,
    retryAt: now + backoffMS(s.attempt, firstDelayMS, maxDelayMS, random),
  }
}

function anotherTry(s: PlayerState): PlayerState {
  return { phase: 'reconnecting', attempt: s.attempt + 1, reason: s.reason, retryAt: null }
}
