import type { Arrival, AuditLine, Camera, Factor, Hall, HallDetail, NewNotice, Notice, NoticeDetail, NoticeGroups, Page, Session, SignInWays, Ticket, User, UserChange } from './types'

/** An answer of the server that is not a success: an RFC 9457 problem with a stable code and Chinese sentences. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    /** What happened, and what to do about it. */
    readonly detail: string,
    /** Seconds until another try is welcome; null when the server did not say. */
    readonly retryAfterS: number | null,
  ) {
    super(detail)
    this.name = 'Problem'
  }
}

/** No answer at all: the network or the server is down. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('连接不上服务器，请检查网络后重试。', { cause })
    this.name = 'Unreachable'
  }
}

/** The sentence to show for anything thrown by the API. */
export function sentence(e: unknown): string {
  return e instanceof Problem || e instanceof Unreachable ? e.message : '页面出现意外错误，请刷新后重试。'
}

/** Whether e only says that the caller itself gave up. */
export function isAbort(e: unknown): boolean {
  return e instanceof DOMException && e.name === 'AbortError'
}

/** Reads a failed response as a Problem, whatever its body is. */
export async function problemOf(response: Response): Promise<Problem> {
  let code = ''
  let detail = ''
  try {
    const body = (await response.json()) as { code?: unknown; title?: unknown; detail?: unknown; advice?: unknown }
    if (typeof body.code === 'string') code = body.code
    if (typeof body.title === 'string' && body.title !== '') detail = body.title + '。'
    if (typeof body.detail === 'string' && body.detail !== '') detail = body.detail
    if (typeof body.advice === 'string') detail += body.advice
  } catch {
    // A proxy in between answers with a page of its own; the status says enough.
  }
  const after = Number(response.headers.get('Retry-After') ?? NaN)
  return new Problem(response.status, code, detail || `服务器返回错误 ${response.status}。`, Number.isFinite(after) ? after : null)
}

type Query = Record<string, string | number | boolean | undefined>

export interface HallQuery extends Query { page?: number; size?: number }
export interface TicketQuery extends Query {
  hall: string
  day?: string
  state?: string
  queue?: string
  number?: string
  page?: number
  size?: number
}
export interface CameraQuery extends Query {
  hall?: string
  state?: string
  live?: boolean
  q?: string
  page?: number
  size?: number
}

export interface UserQuery extends Query { q?: string; page?: number; size?: number }

export interface NoticeQuery extends Query { q?: string; group?: string; state?: string; page?: number; size?: number }

export interface AuditQuery extends Query {
  user?: string
  action?: string
  /** A date, and the last one. */
  from?: string
  to?: string
  page?: number
  size?: number
}

function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value))
  }
  const text = params.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The calls the console makes. onSignedOut runs when the server no longer knows who is asking, with its sentence. */
export class Api {
  onSignedOut: (why: string) => void = () => undefined

  /** Who is signed in; null when nobody is. */
  async session(): Promise<Session | null> {
    const response = await this.fetch('/api/v1/session', {})
    if (response.status === 401) return null
    if (!response.ok) throw await problemOf(response)
    return (await response.json()) as Session
  }

  /** Its 401 means a wrong name or password, and is left to the caller. */
  async signIn(user: string, password: string, code: string): Promise<Session> {
    const response = await this.post('POST', '/api/v1/session', { user, password, code })
    if (!response.ok) throw await problemOf(response)
    return (await response.json()) as Session
  }

  signInWays(): Promise<SignInWays> {
    return this.read('/api/v1/session/ways')
  }

  /** The address at the unified identity platform that the browser has to go to. */
  async journey(): Promise<string> {
    return (await this.send<{ url: string }>('POST', '/api/v1/session/journey', {})).url
  }

  /** Its 401 means that the platform's word is good for nothing, and is left to the caller. */
  async arrive(with_: Arrival): Promise<Session> {
    const response = await this.post('POST', '/api/v1/session/oidc', with_)
    if (!response.ok) throw await problemOf(response)
    return (await response.json()) as Session
  }

  async signOut(): Promise<void> {
    const response = await this.fetch('/api/v1/session', { method: 'DELETE' })
    if (!response.ok && response.status !== 401) throw await problemOf(response)
  }

  /** All sessions of the user end; this browser has the one that comes back. */
  changePassword(old: string, password: string): Promise<Session> {
    return this.send('PUT', '/api/v1/account/password', { old, new: password })
  }

  /** A new secret for the authenticator; it counts when confirmed. code is of the one there is. */
  beginFactor(password: string, code: string): Promise<Factor> {
    return this.send('POST', '/api/v1/account/second-factor', { password, code })
  }

  /** The recovery codes, which are never shown again. */
  async confirmFactor(code: string): Promise<readonly string[]> {
    return (await this.send<{ codes: readonly string[] }>('PUT', '/api/v1/account/second-factor', { code })).codes
  }

  users(query: UserQuery, signal?: AbortSignal): Promise<Page<User>> {
    return this.read(withQuery('/api/v1/users', query), signal)
  }

  addUser(user: { name: string; password: string } & Required<Omit<UserChange, 'disabled'>>): Promise<User> {
    return this.send('POST', '/api/v1/users', user)
  }

  changeUser(name: string, change: UserChange): Promise<User> {
    return this.send('PUT', `/api/v1/users/${encodeURIComponent(name)}`, change)
  }

  async setPassword(name: string, password: string): Promise<void> {
    await this.send('PUT', `/api/v1/users/${encodeURIComponent(name)}/password`, { password })
  }

  async resetFactor(name: string): Promise<void> {
    await this.send('DELETE', `/api/v1/users/${encodeURIComponent(name)}/second-factor`)
  }

  halls(query: HallQuery, signal?: AbortSignal): Promise<Page<Hall>> {
    return this.read(withQuery('/api/v1/halls', query), signal)
  }

  hall(id: string, signal?: AbortSignal): Promise<HallDetail> {
    return this.read(`/api/v1/halls/${encodeURIComponent(id)}`, signal)
  }

  tickets(query: TicketQuery, signal?: AbortSignal): Promise<Page<Ticket>> {
    return this.read(withQuery('/api/v1/tickets', query), signal)
  }

  cameras(query: CameraQuery, signal?: AbortSignal): Promise<Page<Camera>> {
    return this.read(withQuery('/api/v1/cameras', query), signal)
  }

  notices(query: NoticeQuery, signal?: AbortSignal): Promise<Page<Notice>> {
    return this.read(withQuery('/api/v1/notices', query), signal)
  }

  notice(hall: string, group: string, signal?: AbortSignal): Promise<NoticeDetail> {
    return this.read(`/api/v1/notices/${encodeURIComponent(hall)}/${encodeURIComponent(group)}`, signal)
  }

  /** Where a picture of a notice is. */
  noticePicture(notice: Pick<Notice, 'hall' | 'group' | 'version'>, path: string): string {
    return `/api/v1/notices/${encodeURIComponent(notice.hall)}/${encodeURIComponent(notice.group)}/${notice.version}/${encodeURIComponent(path)}`
  }

  noticeGroups(signal?: AbortSignal): Promise<NoticeGroups> {
    return this.read('/api/v1/notices/groups', signal)
  }

  /** Gives the halls that have no screen of the group. */
  async publishNotice(notice: NewNotice): Promise<{ halls: number; no_screen: readonly string[] }> {
    return this.send('POST', '/api/v1/notices', notice)
  }

  /** Gives the halls where there was something. */
  async withdrawNotice(halls: readonly string[], group: string): Promise<readonly string[]> {
    return (await this.send<{ halls: readonly string[] }>('POST', '/api/v1/notices/withdrawals', { halls, group })).halls
  }

  /** Who did what; for auditors. */
  audit(query: AuditQuery, signal?: AbortSignal): Promise<Page<AuditLine>> {
    return this.read(withQuery('/api/v1/audit', query), signal)
  }

  /** Where the audit is to be had as a table; for auditors. */
  auditTable(query: Omit<AuditQuery, 'page' | 'size'>): string {
    return withQuery('/api/v1/audit/export', query)
  }

  /** The open event stream. Reading its body is up to the caller. */
  async stream(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.fetch('/api/v1/stream', { headers: { Accept: 'text/event-stream' }, signal })
    if (!response.ok || response.body === null) throw await this.failed(response)
    return response.body
  }

  /** Posts a WHEP offer; location is where the viewing can be ended, empty when the server named none. */
  async watch(endpoint: string, offer: string): Promise<{ answer: string; location: string }> {
    const response = await this.fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
      body: offer,
    })
    if (response.status !== 201) throw await this.failed(response)
    const location = response.headers.get('Location') ?? ''
    return { answer: await response.text(), location: location && new URL(location, response.url).href }
  }

  /** Ends a viewing. It outlives the page, and nobody waits: a server that misses it notices that the viewer is gone. */
  endWatch(location: string): void {
    this.fetch(location, { method: 'DELETE', keepalive: true }).catch(() => undefined)
  }

  private async read<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await this.fetch(path, signal ? { signal } : {})
    if (!response.ok) throw await this.failed(response)
    return (await response.json()) as T
  }

  private post(method: string, path: string, body?: unknown): Promise<Response> {
    return this.fetch(path, body === undefined ? { method } : { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
  }

  private async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.post(method, path, body)
    if (!response.ok) throw await this.failed(response)
    return (response.status === 204 ? undefined : await response.json()) as T
  }

  private async failed(response: Response): Promise<Problem> {
    const problem = await problemOf(response)
    if (response.status === 401) this.onSignedOut(problem.detail)
    return problem
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(path, { cache: 'no-store', ...init })
    } catch (e) {
      if (isAbort(e)) throw e
      throw new Unreachable(e)
    }
  }
}
