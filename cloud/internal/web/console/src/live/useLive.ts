import { onBeforeUnmount, onMounted, shallowRef, watch, type Ref, type WatchSource } from 'vue'
import { isAbort } from '@/api/client'
import type { Change } from '@/api/types'
import { useServices } from '@/services'

// However fast a hall changes, a page asks for it no more often than this.
const pauseMS = 1_000

export interface Live<T> {
  /** The latest answer; it stays while a newer one is asked for, and null only before the first. */
  data: Readonly<Ref<T | null>>
  error: Readonly<Ref<unknown>>
  /** Whether an answer to changed questions is still awaited. */
  loading: Readonly<Ref<boolean>>
  reload: () => void
}

/**
 * Keeps the answer to a question up to date: asks when the page opens, when what it asks about (`on`) changes, when the
 * stream comes back, and after each change that `concerns` the page.
 */
export function useLive<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  on: WatchSource,
  concerns: (change: Change) => boolean,
): Live<T> {
  const { stream } = useServices()
  const data = shallowRef<T | null>(null)
  const error = shallowRef<unknown>(null)
  const loading = shallowRef(true)
  let asking: AbortController | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let changed = false // since the question was asked

  async function reload(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    asking?.abort()
    const mine = new AbortController()
    asking = mine
    changed = false
    try {
      const answer = await ask(mine.signal)
      if (asking !== mine) return
      data.value = answer
      error.value = null
    } catch (e) {
      if (asking !== mine || isAbort(e)) return
      error.value = e
    }
    loading.value = false
    asking = null
    if (changed) soon()
  }

  // An answer under way is waited for: under many changes a slow server would never get to give one.
  function soon(): void {
    if (asking !== null) changed = true
    else timer ??= setTimeout(() => void reload(), pauseMS)
  }

  const stops = [
    stream.onRefresh(() => void reload()),
    stream.onChange((change) => { if (concerns(change)) soon() }),
  ]
  watch(on, () => {
    loading.value = true
    void reload()
  })
  // A stream that is only now being opened refreshes everything in a moment.
  onMounted(() => { if (stream.state.value !== 'connecting') void reload() })
  onBeforeUnmount(() => {
    for (const stop of stops) stop()
    clearTimeout(timer)
    asking?.abort()
    asking = null
  })
  return { data, error, loading, reload: () => void reload() }
}
