import { computed, readonly, shallowRef, type Ref } from 'vue'
import type { Api } from '@/api/client'
import type { Hall } from '@/api/types'
import type { LiveStream } from './stream'

const pageSize = 200
const flushMS = 500

/**
 * All halls, kept up to date by the stream. There are about two thousand, a few hundred bytes each: with all of them here,
 * counts, filters and order are always of one moment and cost the server nothing.
 */
export class HallBook {
  private readonly byID = shallowRef<ReadonlyMap<string, Hall>>(new Map())
  private readonly errorRef = shallowRef<unknown>(null)
  private readonly loadedRef = shallowRef(false)
  private fresh = new Map<string, Hall>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private loading: AbortController | null = null

  readonly all = computed(() => [...this.byID.value.values()])
  /** Whether a complete list has been read since the sign-in. */
  readonly loaded: Readonly<Ref<boolean>> = readonly(this.loadedRef)
  /** What went wrong with the latest reading of the list; null when nothing did. */
  readonly error: Readonly<Ref<unknown>> = readonly(this.errorRef)

  constructor(private readonly api: Pick<Api, 'halls'>, stream: Pick<LiveStream, 'onRefresh' | 'onChange'>) {
    stream.onRefresh(() => void this.load())
    stream.onChange((change) => this.take(change.hall))
  }

  get(id: string): Hall | undefined {
    return this.byID.value.get(id)
  }

  /** The hall's name, or its code while the name is not known. */
  name(id: string): string {
    return this.get(id)?.name || id
  }

  /** Reads the whole list. Changes that arrive meanwhile are newer than its lines and win. */
  async load(): Promise<void> {
    this.loading?.abort()
    const mine = new AbortController()
    this.loading = mine
    this.fresh = new Map()
    try {
      const halls = new Map<string, Hall>()
      for (let page = 1; ; page++) {
        const { items, total } = await this.api.halls({ page, size: pageSize }, mine.signal)
        for (const hall of items) halls.set(hall.id, hall)
        if (items.length === 0 || page * pageSize >= total) break
      }
      if (this.loading !== mine) return
      this.byID.value = halls
      this.loadedRef.value = true
      this.errorRef.value = null
    } catch (e) {
      if (this.loading === mine) this.errorRef.value = e
      return
    } finally {
      if (this.loading === mine) this.loading = null
    }
    this.flush()
  }

  /** Forgets everything, for the next person who signs in. */
  clear(): void {
    this.loading?.abort()
    this.loading = null
    clearTimeout(this.timer)
    this.timer = undefined
    this.fresh.clear()
    this.byID.value = new Map()
    this.loadedRef.value = false
    this.errorRef.value = null
  }

  // Changes are shown twice a second, not each by itself: a busy morning brings hundreds a second.
  private take(hall: Hall): void {
    this.fresh.set(hall.id, hall)
    this.timer ??= setTimeout(() => this.flush(), flushMS)
  }

  private flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.loading !== null || this.fresh.size === 0) return
    this.byID.value = new Map([...this.byID.value, ...this.fresh])
    this.fresh.clear()
  }
}
