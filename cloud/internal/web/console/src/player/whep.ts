import { Problem, Unreachable, type Api } from '@/api/client'
import type { Failure } from './machine'
import { videoStats, type VideoStats } from './stats'

// Host candidates are gathered within milliseconds; waiting longer would only delay the picture.
const gatherMS = 1_000
// A connection that says "disconnected" often comes back by itself within a few seconds.
const graceMS = 4_000

export interface WhepHandlers {
  onStream: (stream: MediaStream) => void
  /** Runs at most once, and never after close. */
  onLost: (failure: Failure) => void
}

/**
 * One viewing by WHEP (draft-ietf-wish-whep): an SDP offer is posted, the answer comes back with 201, and a DELETE of the
 * Location ends it. A link is used once; a new try takes a new link.
 */
export class WhepLink {
  private readonly pc: RTCPeerConnection
  private location = ''
  private closed = false
  private grace: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly api: Pick<Api, 'watch' | 'endWatch'>,
    private readonly endpoint: string,
    private readonly handlers: WhepHandlers,
  ) {
    this.pc = new RTCPeerConnection()
    this.pc.addTransceiver('video', { direction: 'recvonly' })
    this.pc.addEventListener('track', (e) => {
      if (this.closed) return
      // The server's goodbye closes the transport; the connection itself would only notice by a time-out.
      const transport = e.receiver.transport
      transport?.addEventListener('statechange', () => { if (transport.state === 'closed') this.ended() })
      this.handlers.onStream(e.streams[0] ?? new MediaStream([e.track]))
    })
    this.pc.addEventListener('connectionstatechange', () => this.watchConnection())
    void this.negotiate()
  }

  /** The received video's counters; null while nothing has arrived. */
  async stats(): Promise<VideoStats | null> {
    if (this.closed) return null
    return videoStats(await this.pc.getStats())
  }

  /** Ends the viewing here and at the server; also safe while the page is being left. */
  close(): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.grace)
    this.pc.close()
    this.release()
  }

  private async negotiate(): Promise<void> {
    try {
      await this.pc.setLocalDescription(await this.pc.createOffer())
      await this.gathered()
      if (this.closed) return
      const { answer, location } = await this.api.watch(this.endpoint, this.pc.localDescription?.sdp ?? '')
      this.location = location
      if (this.closed) return this.release() // closed while the answer was under way: the server must not wait for us
      await this.pc.setRemoteDescription({ type: 'answer', sdp: answer })
    } catch (e) {
      this.lost(failureOf(e))
    }
  }

  private gathered(): Promise<void> {
    return new Promise((resolve) => {
      if (this.pc.iceGatheringState === 'complete') return resolve()
      const timer = setTimeout(resolve, gatherMS)
      this.pc.addEventListener('icegatheringstatechange', () => {
        if (this.pc.iceGatheringState !== 'complete') return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  private watchConnection(): void {
    clearTimeout(this.grace)
    switch (this.pc.connectionState) {
      case 'failed':
        return this.lost({ text: '视频通道不通，请确认本机能访问视频端口', retry: true })
      case 'closed':
        return this.ended()
      case 'disconnected':
        this.grace = setTimeout(() => this.lost({ text: '视频通道中断', retry: true }), graceMS)
    }
  }

  private ended(): void {
    this.location = '' // there is nothing left to end
    this.lost({ text: '视频服务结束了播放', retry: true })
  }

  private lost(failure: Failure): void {
    if (this.closed) return
    this.close()
    this.handlers.onLost(failure)
  }

  private release(): void {
    if (this.location === '') return
    this.api.endWatch(this.location)
    this.location = ''
  }
}

/** Why there is no picture. Only faults that may pass by themselves are tried again. */
function failureOf(e: unknown): Failure {
  if (e instanceof Unreachable) return { text: '连接不上视频服务', retry: true }
  if (e instanceof Problem) {
    const passing = e.status >= 500 || e.status === 404 || e.status === 409 || e.status === 429
    return { text: e.detail.replace(/。$/, ''), retry: passing }
  }
  return { text: '浏览器不接受视频服务的应答', retry: false }
}
