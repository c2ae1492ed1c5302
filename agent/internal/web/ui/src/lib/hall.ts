// The shapes of the hall's interface (see the agent's web/view package) and how they read in Chinese.

export interface Wait { low_s: number; high_s: number; }

export interface Ticket {
  id: string; number: string; queue: string; class: string; state: string; ahead: number; wait: Wait | null;
  window: string | null; taken_at: string; print: string; reprints: number;
}

export interface HallWindow {
  id: string; name: string; state: string; queues: string[]; ticket: Ticket | null; staff: string | null;
  since: string | null;
}

export interface Queue { id: string; name: string; waiting: number; wait: Wait | null; }

export interface Call { number: string; window: string; at: string; times: number; }

export interface Condition { code: string; subject?: string; severity: string; title: string; advice?: string; since: string; }

/** Why a ticket was called: the rule, how long it had waited, and who would have been next. */
export interface Why { rule: string; score: number; waited_s: number; next: string; }

/** What a window should know of a ticket beside the ticket. */
export interface About { note: string; then: string[]; until: string | null; }

export interface Console {
  window: string; waiting: number; reason: string; why: Why | null; recall: { in_ms: number; left: number | null } | null;
  held: Ticket[]; passed: Ticket[]; longest: { [queue: string]: number }; duties: { [queue: string]: string };
  about: { [ticket: string]: About };
}

/** Somebody at a place who asks for the guide. */
export interface HelpCall { place: string; name: string; at: string; coming: boolean; by?: string; }

/** Whether a queue gives numbers now; reason is the code of why not. */
export interface Gives { open: boolean; reason: string; opens: string | null; closes: string | null; left: number | null; late: boolean; }

export interface Hall {
  seq: number; hall: string; business_day: string; queues: Queue[]; windows: HallWindow[]; calls: Call[]; missed: string[];
  health: Condition[]; console?: Console; kind?: string; help?: HelpCall[]; gives?: { [queue: string]: Gives }; paper?: Paper;
  frame?: Frame | null; locked?: boolean; program?: Program | null; proof?: { n: number; until: number };
}

/** The notices that the centre has signed for a screen. Version 0: there should be some, and none of them may be shown. */
export interface Program { group: string; version: number; items: Slide[]; }

/** A picture or a text of a program; width and height of a picture in dots. */
export interface Slide { path: string; type: string; sm3: string; width: number; height: number; }

/** What the server tells a screen to show, as it tells LED panels. */
export interface Frame { scene: string; lines: string[]; serial: string; }

/** Whether the next slip of a kiosk comes out, and where if not there: at names the place of the spare printer. */
export interface Paper { state: string; printer: string; spare: boolean; at: string; }

/** What is known of a ticket's slip: why it failed, whether it surely did, where it comes out if not here, how many more a kiosk makes. */
export interface Slip { code: string; sure: boolean; at: string; left: number | null; }

/** What somebody showed at a kiosk or window: a card, a code, a slip. */
export interface Input {
  n: number; kind: string; identity?: string; ticket?: string; actions: string[]; code?: string; detail?: string;
  waiting?: string[]; bookings?: Booking[];
}

/** An appointment somebody may check in for. */
export interface Booking { booking: string; queue: string; start: string; end: string; }

const states: { [key: string]: string } = {
  waiting: '等候中', called: '已叫号', serving: '办理中', held: '已挂起', passed: '已过号', done: '已办结', abandoned: '已弃号',
  withdrawn: '已退号', closed: '日终清号'
};

const classes: { [key: string]: string } = { normal: '普通', appointment: '预约', elder: '老幼残孕', priority: '依法优先' };

export function stateName(state: string): string {
  return states[state] || state;
}

/** The class as a tag; ordinary tickets have none. */
export function classTag(name: string): string {
  return name === 'normal' ? '' : classes[name] || name;
}

/** "约 5–15 分钟", or "" when nothing can be promised. */
export function waitText(wait: Wait | null): string {
  if (!wait) {
    return '';
  }
  const low = Math.round(wait.low_s / 60);
  const high = Math.round(wait.high_s / 60);
  return low <= 0 ? '约 ' + high + ' 分钟以内' : '约 ' + low + '–' + high + ' 分钟';
}

/** A span as clerks read it: 3:07, 1:12:40. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  const two = function (n: number): string {
    return n < 10 ? '0' + n : '' + n;
  };
  return (h > 0 ? h + ':' + two(m) : '' + m) + ':' + two(s % 60);
}

/** Seconds as whole minutes. */
export function minutes(s: number): string {
  return s < 60 ? '不到 1 分钟' : Math.round(s / 60) + ' 分钟';
}

export function find<T>(list: T[], want: (item: T) => boolean): T | null {
  for (let i = 0; i < list.length; i++) {
    if (want(list[i])) {
      return list[i];
    }
  }
  return null;
}
