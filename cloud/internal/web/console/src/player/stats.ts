/** What getStats says about the received video, as far as the player shows it. */
export interface VideoStats {
  /** Time of the sample in ms. */
  at: number
  bytes: number
  framesDecoded: number
  packetsReceived: number
  packetsLost: number
  width: number
  height: number
  codec: string
  /** Sum of seconds frames waited in the jitter buffer, and how many frames those were. */
  bufferS: number
  bufferFrames: number
}

/** What happened between two samples. */
export interface VideoRates {
  bitsPS: number
  fps: number
  /** Share of packets that never came, 0 to 1. */
  loss: number
  /** Mean time a frame waited in the jitter buffer; null when no frame came out. */
  bufferMS: number | null
}

// The members of the browser's dictionaries that are read here; TypeScript's DOM types leave RTCStatsReport open.
interface InboundVideo {
  type: 'inbound-rtp'
  kind: string
  timestamp: number
  codecId?: string
  bytesReceived?: number
  framesDecoded?: number
  packetsReceived?: number
  packetsLost?: number
  frameWidth?: number
  frameHeight?: number
  jitterBufferDelay?: number
  jitterBufferEmittedCount?: number
}

/** Picks the received video out of a report; null when none has arrived yet. */
export function videoStats(report: ReadonlyMap<string, { type: string }>): VideoStats | null {
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue
    const inbound = entry as InboundVideo
    if (inbound.kind !== 'video') continue
    const codec = inbound.codecId === undefined ? undefined : (report.get(inbound.codecId) as { mimeType?: string } | undefined)
    return {
      at: inbound.timestamp,
      bytes: inbound.bytesReceived ?? 0,
      framesDecoded: inbound.framesDecoded ?? 0,
      packetsReceived: inbound.packetsReceived ?? 0,
      packetsLost: inbound.packetsLost ?? 0,
      width: inbound.frameWidth ?? 0,
      height: inbound.frameHeight ?? 0,
      codec: (codec?.mimeType ?? '').replace(/^video\//, ''),
      bufferS: inbound.jitterBufferDelay ?? 0,
      bufferFrames: inbound.jitterBufferEmittedCount ?? 0,
    }
  }
  return null
}

/** The rates between two samples of one connection; null when no time has passed between them. */
export function videoRates(before: VideoStats, after: VideoStats): VideoRates | null {
  const seconds = (after.at - before.at) / 1000
  if (seconds <= 0) return null
  const lost = Math.max(0, after.packetsLost - before.packetsLost)
  const received = Math.max(0, after.packetsReceived - before.packetsReceived)
  const frames = after.bufferFrames - before.bufferFrames
  return {
    bitsPS: (Math.max(0, after.bytes - before.bytes) * 8) / seconds,
    fps: Math.max(0, after.framesDecoded - before.framesDecoded) / seconds,
    loss: lost + received === 0 ? 0 : lost / (lost + received),
    bufferMS: frames > 0 ? ((after.bufferS - before.bufferS) / frames) * 1000 : null,
  }
}
