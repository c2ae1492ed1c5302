export interface ServerEvent {
  event: string
  data: string
}

/**
 * Cuts a text/event-stream into events (HTML Living Standard §9.2.6). Feed it text as it comes; it returns the events
 * that are complete. Comments, ids and retry times are read over: this stream's reader fetches anew after every break.
 */
export class EventCutter {
  private rest = ''
  private event = ''
  private data: string[] = []

  feed(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    this.rest += text
    // A CR at the very end may be the first half of CRLF: it waits for the next piece.
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) events.push({ event: this.event || 'message', data: this.data.join('\n') })
        this.event = ''
        this.data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'event') this.event = value
      else if (field === 'data') this.data.push(value)
    }
    return events
  }
}
