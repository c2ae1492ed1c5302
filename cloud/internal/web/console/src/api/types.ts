// The shapes of the cloud's API, as cloud/internal/web/api/types.go writes them. Times are RFC 3339 texts.

export interface Page<T> {
  items: T[]
  total: number
}

export type Role = 'viewer' | 'clerk' | 'manager' | 'maintainer' | 'auditor' | 'video' | 'admin'

export interface Session {
  user: string
  name: string
  roles: readonly Role[]
  /** What the codes of one's halls begin with; '' is every hall. */
  scope: readonly string[]
  by: string
  /** What comes before anything else. */
  must: '' | 'password' | 'second_factor'
  second_factor: boolean
  recovery_left: number
  expires_at: string | null
}

export interface SignInWays {
  password: boolean
  /** Through the unified identity platform. */
  oidc: boolean
}

/** What the unified identity platform sends a browser back with. */
export interface Arrival {
  state: string
  code: string
  error: string
}

/** What an authenticator needs. */
export interface Factor {
  secret: string
  uri: string
  image: string
}

export interface User {
  name: string
  full_name: string
  roles: readonly Role[]
  scope: readonly string[]
  disabled: boolean
  /** config: of cloud.yaml, which alone changes him; platform: of the unified identity platform. */
  origin: 'config' | 'cli' | 'platform'
  must_change: boolean
  second_factor: boolean
  certificate: boolean
  created_at: string
}

export interface UserChange {
  full_name?: string
  roles?: readonly Role[]
  scope?: readonly string[]
  disabled?: boolean
}

/** A sequence number: a text beyond 2^53. */
export type Seq = number | string

export type HallState = 'online' | 'stale' | 'offline' | 'never'
export type Severity = '' | 'info' | 'warning' | 'error'
export type Profile = '' | 'full' | 'town' | 'village'

export interface Hall {
  id: string
  name: string
  region: string
  profile: Profile
  state: HallState
  seen_at: string | null
  version: string
  severity: Severity
  /** The gravest of the hall's health findings. */
  finding: { code: string; subject: string; title: string } | null
  business_day: string
  waiting: number
  serving: number
  taken_today: number
  windows_open: number
  windows: number
  devices: number
  devices_bad: number
  cameras: number
  cameras_live: number
  facts_pending: number
}

export interface HallDetail extends Hall {
  queues: Queue[]
  window_list: HallWindow[]
  calls: Call[]
  device_list: Device[]
  camera_list: Camera[]
  health: Condition[]
  log: Log
}

export interface Queue {
  id: string
  name: string
  waiting: number
  taken: number
  done: number
}

export interface HallWindow {
  id: string
  state: 'closed' | 'open' | 'paused'
  reason: string
  staff: string
  since: string | null
  ticket: { id: string; number: string; state: TicketState } | null
}

export interface Call {
  seq: Seq
  at: string
  ticket: string
  number: string
  queue: string
  window: string
  how: string
  times: number
  rule: string
  waited_s: number
}

export interface Condition {
  code: string
  subject?: string
  severity: 'info' | 'warning' | 'error'
  title: string
  advice?: string
  since: string
}

export interface Device {
  name: string
  class: string
  model: string
  state: string
  code?: string
  since: string
  advice?: string
}

export interface Log {
  epoch: string
  epochs: number
  hall_last: Seq
  hall_acked: Seq
  stored: Seq
  highest: Seq
  refused: number
  gone: number
  stale: boolean
  received_at: string | null
  clock_skew_ms: number | null
  file_bytes: number
  fsync_p99_us: number
}

export type TicketState =
  | 'waiting' | 'called' | 'serving' | 'held' | 'passed' | 'done' | 'abandoned' | 'withdrawn' | 'closed'

export interface Ticket {
  id: string
  hall: string
  number: string
  flow_no: string
  business_day: string
  queue: string
  class: string
  channel: string
  place: string
  proof: string
  state: TicketState
  window: string
  taken_at: string
  called_at: string | null
  started_at: string | null
  ended_at: string | null
  calls: number
  waited_s: number | null
  service_s: number | null
  print: string
  reprints: number
  grade: string
}

export interface Camera {
  code: string
  hall: string
  name: string
  scene: number
  state: string
  reason: string
  since: string | null
  codec: string
  bits_ps: number
  live: boolean
  viewers: number
  whep: string
}

/** How it is with a notice in its hall, by what the hall reported last. */
export type NoticeState =
  | 'showing' | 'waiting' | 'pending' | 'refused' | 'altered' | 'no_screen' | 'unknown' | 'expired' | 'withdrawing' | 'withdrawn'

/** What was published last for a group of screens of a hall. */
export interface Notice {
  hall: string
  hall_name: string
  hall_state: HallState
  group: string
  version: number
  /** First line of its first text; empty: pictures alone. */
  heading: string
  items: number
  from: string
  until: string
  published_at: string
  actor: string
  withdrawn_at: string | null
  state: NoticeState
  /** Of the group in the hall; null: the hall has not said. */
  screens: number | null
  /** Version that its screens show, 0: none; null: the hall has not said. */
  shows: number | null
}

export interface NoticeDetail extends Notice {
  content: readonly NoticeItem[]
}

export interface NoticeItem {
  path: string
  type: 'image/png' | 'image/jpeg' | 'text/plain'
  size: number
  sm3: string
  text: string
}

/** The groups of screens there are. Of a hall that is not in `said` nobody knows which it has. */
export interface NoticeGroups {
  groups: readonly { group: string; screens: number; halls: readonly string[] }[]
  said: readonly string[]
}

export interface NewNotice {
  halls: readonly string[]
  group: string
  /** null: now. */
  from: string | null
  until: string
  items: readonly ({ title: string; text: string } | { name: string; data: string })[]
}

/** Who did what. `user` is what `by` says: an account, an interface token or an account of the server's machine. */
export interface AuditLine {
  id: number
  at: string
  user: string
  name: string
  by: 'password' | 'oidc' | 'token' | 'command' | ''
  action: string
  subject: string
  result: string
  remote: string
}

/** What changed of a hall, in the stream's `change` events. */
export type Part = 'status' | 'queues' | 'windows' | 'cameras'

export interface Change {
  hall: Hall
  parts: Part[]
}

/** Why the session has ended: the stream's last event. */
export interface Ended {
  code: string
  detail: string
}
