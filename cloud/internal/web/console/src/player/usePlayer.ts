import { computed, onBeforeUnmount, onMounted, readonly, shallowRef, type ShallowRef } from 'vue'
import type { Api } from '@/api/client'
import { idle, next, wantsSession, type PlayerEvent, type PlayerState } from './machine'
import { videoRates, type VideoRates, type VideoStats } from './stats'
import { WhepLink } from './whep'

const sampleMS = 1_000
// A camera that starts on demand may need a while until its first key frame.
const firstPictureMS = 15_000
const frozenMS = 6_000

export interface Readings extends VideoRates {
  codec: string
  width: number
  height: number
  /** Milliseconds since a frame was last decoded. */
  frameAgeMS: number
}

/**
 * Plays one camera in a <video> for as long as the component lives: connects, watches that pictures keep coming, tries
 * again by the rules of ./machine, and ends the viewing at the server when the page is left.
 */
export function usePlayer(api: Api, video: Readonly<ShallowRef<HTMLVideoElement | null>>, endpoint: string) {
  const state = shallowRef<PlayerState>(idle)
  const readings = shallowRef<Readings | null>(null)
  const paused = shallowRef(false)
  const now = shallowRef(performance.now())
  let link: WhepLink | null = null
  let sample: VideoStats | null = null
  let frameAt = 0 // when the latest frame was decoded, or the try began
  let timer: ReturnType<typeof setInterval> | undefined

  function send(event: PlayerEvent): void {
    state.value = next(state.value, event, performance.now(), Math.random())
    if (!wantsSession(state.value)) disconnect()
    else if (link === null) connect()
  }

  function connect(): void {
    sample = null
    frameAt = performance.now()
    const mine = new WhepLink(api, endpoint, {
      onStream: (stream) => show(stream),
      onLost: (failure) => {
        if (link === mine) send({ type: 'lost', failure })
      },
    })
    link = mine
  }

  function disconnect(): void {
    link?.close()
    link = null
    readings.value = null
  }

  function show(stream: MediaStream): void {
    if (!video.value) return
    video.value.srcObject = stream
    video.value.onloadeddata = () => pictureCame()
    if (!paused.value) void play()
  }

  function pictureCame(): void {
    frameAt = performance.now()
    send({ type: 'picture' })
  }

  async function play(): Promise<void> {
    try {
      await video.value?.play()
    } catch {
      // A newer stream took the element, or the browser wants a click first: then the page shows it as paused.
      paused.value = video.value?.paused ?? true
    }
  }

  async function watch(): Promise<void> {
    now.value = performance.now()
    send({ type: 'tick' })
    const mine = link
    if (mine === null) return
    const after = await mine.stats()
    if (link !== mine) return
    if (after !== null) read(after)
    judge()
  }

  /** Turns a sample into readings and notices new frames. */
  function read(after: VideoStats): void {
    const before = sample
    sample = after
    if (after.framesDecoded > (before?.framesDecoded ?? 0)) pictureCame()
    const rates = before === null ? null : videoRates(before, after)
    if (rates === null) return
    readings.value = { ...rates, codec: after.codec, width: after.width, height: after.height, frameAgeMS: Math.max(0, now.value - frameAt) }
  }

  /** Gives up on a connection that brings no picture. Browsers stop decoding in hidden tabs, which is no fault. */
  function judge(): void {
    if (document.visibilityState === 'hidden' || paused.value) {
      frameAt = now.value
      return
    }
    const silence = now.value - frameAt
    if (state.value.phase === 'playing') {
      if (silence > frozenMS) send({ type: 'lost', failure: { text: '画面停住不动', retry: true } })
    } else if (silence > firstPictureMS) {
      send({ type: 'lost', failure: { text: '连接上了，但等不到画面', retry: true } })
    }
  }

  function togglePause(): void {
    paused.value = !paused.value
    if (paused.value) video.value?.pause()
    else void play()
  }

  const leave = () => send({ type: 'stop' })
  const comeBack = () => send({ type: 'start' })

  onMounted(() => {
    timer = setInterval(() => void watch(), sampleMS)
    // A page kept in the browser's back-forward cache ends its viewing too, and begins a new one when it is shown again.
    window.addEventListener('pagehide', leave)
    window.addEventListener('pageshow', comeBack)
    send({ type: 'start' })
  })
  onBeforeUnmount(() => {
    clearInterval(timer)
    window.removeEventListener('pagehide', leave)
    window.removeEventListener('pageshow', comeBack)
    leave()
  })

  return {
    state: readonly(state),
    readings: readonly(readings),
    paused: readonly(paused),
    /** Whole seconds until the next try; null when none is planned. */
    retryInS: computed(() =>
      state.value.retryAt === null ? null : Math.max(0, Math.ceil((state.value.retryAt - now.value) / 1000))),
    retry: () => send({ type: 'retry' }),
    togglePause,
  }
}
