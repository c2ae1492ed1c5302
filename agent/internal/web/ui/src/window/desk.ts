// What the window's page knows: its setup, the hall as it was told last, and the verb under way.

import { setup } from '../lib/dom';
import { About, Console, Hall, HallWindow, Ticket, Why, find } from '../lib/hall';
import { Named } from '../lib/sheet';

/** Thresholds in seconds of a queue: when a time is shown in yellow, and when in red. The server works them out from the plan. */
interface Limits { serve: number[]; wait: number[]; }

interface Setup {
  as: string; version: string; person: string; window: string; directs: boolean; queues: Named[]; windows: Named[];
  limits: { [queue: string]: Limits };
}

export const page = setup<Setup>();

/** A ticket that leaves the window: the press can be taken back until it is sent. */
export interface Leaving { verb: string; ticket: Ticket; body: { [key: string]: unknown }; until: number; }

/** A verb whose key was pressed while another one was under way. go does it, unless what the clerk saw then is no longer so. */
interface Late { name: string; go: () => boolean; }

interface Desk {
  hall: Hall | null;
  mine: HallWindow | null;
  why: Why | null; // the window's ticket was called
  told: number; // when the hall told what is beside the window, by this machine's clock
  busy: string; // the verb under way
  late: Late | null; // pressed meanwhile
  leaving: Leaving | null;
  draw: () => void;
}

export const desk: Desk = {
  hall: null, mine: null, why: null, told: 0, busy: '', late: null, leaving: null, draw: function (): void { /* set by the page */ }
};

/** The ticket at the window, none while one is about to leave it. */
export function ticket(): Ticket | null {
  return desk.mine && !desk.leaving ? desk.mine.ticket : null;
}

export function ticketIs(state: string): boolean {
  const t = ticket();
  return !!t && t.state === state;
}

export function windowIs(state: string): boolean {
  return !!desk.mine && desk.mine.state === state;
}

export function beside(): Console | null {
  return desk.hall && desk.hall.console || null;
}

export function held(): Ticket[] {
  const c = beside();
  return c ? c.held : [];
}

export function about(t: Ticket): About | null {
  const c = beside();
  return c && c.about[t.id] || null;
}

/** The queues that the window serves now. */
export function served(): string[] {
  return desk.mine ? desk.mine.queues : [];
}

export function queueName(id: string): string {
  const q = find(page.queues, function (x) { return x.id === id; });
  return q ? q.name : id;
}

/** Milliseconds until the called ticket may be called again; left is how often still, null without a limit. */
export function recall(): { ms: number; left: number | null } | null {
  const c = beside();
  return c && c.recall && ticketIs('called') ? { ms: Math.max(0, desk.told + c.recall.in_ms - Date.now()), left: c.recall.left } : null;
}
