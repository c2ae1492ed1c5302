import { computed, readonly, shallowRef, type Ref } from 'vue'
import { backoffMS } from '@/backoff'
import { Problem } from '@/api/client'
import type { Change, Ended } from '@/api/types'
import { EventCutter } from './sse'

export type StreamState = 'off' | 'connecting' | 'live' | 'broken'

/** The server writes at least a comment this often or the line counts as dead: twice its heartbeat and some. */
export const silenceMS = 40_000

const firstDelayMS = 1_000
const maxDelayMS = 15_000

/** The server's word that the session is over. */
class SessionEnded extends Error {}

export interface StreamSource {
  stream(signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/**
 * The cloud's event stream, reopened for as long as it is wanted. Refresh handlers fetch what their page shows: they run
 * after every (re)connection, and once when the very first one fails, so that pages fill even without a stream. Change
 * handlers get each change. One stream serves the whole console.
 *
 * It is read with fetch, not EventSource: a 401 is seen as what it is, and heartbeat comments count as signs of life.
 */
export class LiveStream {
  private readonly stateRef = shallowRef<StreamState>('off')
  private readonly heardRef = shallowRef<number | null>(null)
  private readonly attemptRef = shallowRef(0)
  private readonly refreshHandlers = new Set<() => void>()
  private readonly changeHandlers = new Set<(c: Change) => void>()
  private stopping: AbortController | null = null
  /** Runs when the server says that the session has ended, with its sentence. */
  onEnded: (why: string) => void = () => undefined

  readonly state: Readonly<Ref<StreamState>> = readonly(this.stateRef)
  /** When the server last wrote anything (wall clock, ms); what is shown is as old as that. */
  readonly heardAt: Readonly<Ref<number | null>> = readonly(this.heardRef)
  /** Failed tries since the line broke. */
  readonly attempt: Readonly<Ref<number>> = readonly(this.attemptRef)
  readonly stale = computed(() => this.stateRef.value === 'broken')

  constructor(private readonly source: StreamSource) {}

  onRefresh(handler: () => void): () => void {
    this.refreshHandlers.add(handler)
    return () => this.refreshHandlers.delete(handler)
  }

  onChange(handler: (c: Change) => void): () => void {
    this.changeHandlers.add(handler)
    return () => this.changeHandlers.delete(handler)
  }

  /** Starts reading; does nothing when it already does. */
  start(): void {
    if (this.stopping) return
    this.stopping = new AbortController()
    this.stateRef.value = 'connecting'
    void this.run(this.stopping.signal)
  }

  stop(): void {
    this.stopping?.abort()
    this.stopping = null
    this.stateRef.value = 'off'
    this.heardRef.value = null
    this.attemptRef.value = 0
  }

  private async run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      try {
        await this.readOnce(stopped)
      } catch (e) {
        // The page leaves for the sign-in, which stops the stream.
        if (e instanceof Problem && e.status === 401) return
        if (e instanceof SessionEnded) return this.onEnded(e.message)
      }
      if (stopped.aborted) return
      this.stateRef.value = 'broken'
      this.attemptRef.value++
      if (this.heardRef.value === null && this.attemptRef.value === 1) this.refresh()
      await sleep(backoffMS(this.attemptRef.value, firstDelayMS, maxDelayMS, Math.random()), stopped)
    }
  }

  /** Reads one connection until it ends, fails or falls silent. */
  private async readOnce(stopped: AbortSignal): Promise<void> {
    const silent = new AbortController()
    const signal = AbortSignal.any([stopped, silent.signal])
    let watchdog = setTimeout(() => silent.abort(), silenceMS)
    try {
      const body = await this.source.stream(signal)
      const cutter = new EventCutter()
      const decoder = new TextDecoder()
      const reader = body.getReader()
      signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true })
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(watchdog)
        watchdog = setTimeout(() => silent.abort(), silenceMS)
        if (stopped.aborted) return
        this.heardRef.value = Date.now()
        for (const e of cutter.feed(decoder.decode(value, { stream: true }))) this.deliver(e.event, e.data)
      }
    } finally {
      clearTimeout(watchdog)
    }
  }

  private refresh(): void {
    for (const handler of this.refreshHandlers) handler()
  }

  private deliver(event: string, data: string): void {
    if (event === 'ready') {
      this.stateRef.value = 'live'
      this.attemptRef.value = 0
      this.refresh()
    } else if (event === 'change') {
      const change = JSON.parse(data) as Change
      for (const handler of this.changeHandlers) handler(change)
    } else if (event === 'ended') {
      throw new SessionEnded((JSON.parse(data) as Ended).detail)
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })
}
