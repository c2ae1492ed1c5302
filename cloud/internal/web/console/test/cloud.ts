import type { Hall } from '@/api/types'

/** A hall as the cloud reports it; what a test does not name is quiet. */
export function hall(id: string, fields: Partial<Hall> = {}): Hall {
  return {
    id, name: `${id}大厅`, region: '茂南区', profile: 'full', state: 'online', seen_at: '2026-11-23T10:00:00+08:00', version: '1.0.0',
    severity: '', finding: null, business_day: '2026-11-23', waiting: 0, serving: 0, taken_today: 0, windows_open: 0, windows: 0, devices: 0,
    devices_bad: 0, cameras: 0, cameras_live: 0, facts_pending: 0, ...fields,
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type, ...headers } })
}

/** The far end of one event stream. */
export class StreamEnd {
  private readonly text = new TextEncoder()
  private controller!: ReadableStreamDefaultController<Uint8Array>
  cancelled = false
  readonly response = new Response(
    new ReadableStream<Uint8Array>({
      start: (controller) => { this.controller = controller },
      cancel: () => { this.cancelled = true },
    }),
    { headers: { 'Content-Type': 'text/event-stream' } },
  )

  write(text: string): void {
    this.controller.enqueue(this.text.encode(text))
  }

  ready(): void {
    this.write('event: ready\ndata: {"at":"2026-11-23T10:00:00+08:00"}\n\n')
  }

  change(h: Hall): void {
    this.write(`event: change\ndata: ${JSON.stringify({ hall: h, parts: ['queues'] })}\n\n`)
  }

  end(): void {
    this.controller.close()
  }
}
