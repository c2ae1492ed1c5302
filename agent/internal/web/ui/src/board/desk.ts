// What the director's page knows: its setup, the board as it was told last, and the tools its parts share.

import { byId, setup, text } from '../lib/dom';
import { Condition, Gives, HallWindow, Queue } from '../lib/hall';
import { Problem, command } from '../lib/http';

/** The day in numbers, of the hall, of a queue or of a window. */
export interface Figures {
  taken: number; served: number; missed: number; withdrawn: number; abandoned: number; open: number; wait: Spread | null; serve: Spread | null;
  ratings: { [grade: string]: number }; unrated: number;
}
export interface Spread { p50_s: number; p80_s: number; samples: number; }

export interface BoardQueue extends Queue {
  taken: number; done: number; longest_s: number; open: number; gives: Gives; accuracy: { error_s: number; samples: number }; roll: number; day: Figures;
}
export interface BoardWindow extends HallWindow {
  done: number; reason: string; waiting: number; duties: { [queue: string]: string }; day: Figures;
}
export interface Board {
  seq: number; business_day: string; taken: number; waiting: number; done: number; passed: number; left: number; rated: number; satisfied: number;
  queues: BoardQueue[]; windows: BoardWindow[]; now: string; clock_unknown: boolean; day: Figures;
}

/** Thresholds in seconds: from when a time is shown as long, and from when as too long. The server works them out from the plan. */
interface Limits { serve: number[]; wait: number[]; }

interface Setup {
  as: string; version: string; person: string; east: number; me?: string; directs?: boolean; staff?: { [id: string]: string };
  limits?: { [queue: string]: Limits };
}

export const page = setup<Setup>();

interface Desk {
  board: Board | null;
  ahead: number; // of this machine's clock over the hall's time, in milliseconds
  health: Condition[];
  look: () => void; // asks for the board anew
}

export const desk: Desk = { board: null, ahead: 0, health: [], look: function (): void { /* set by the page */ } };

/** The hall's time. */
export function hallNow(): number {
  return Date.now() - desk.ahead;
}

/** An instant that the server wrote. Old browsers cannot read parts of a second. */
export function instant(stamp: string): number {
  return Date.parse(stamp.replace(/\.\d+/, ''));
}

export function queueName(id: string): string {
  const list = desk.board ? desk.board.queues : [];
  for (let i = 0; i < list.length; i++) {
    if (list[i].id === id) {
      return list[i].name;
    }
  }
  return id;
}

export function staffName(id: string): string {
  return page.staff && page.staff[id] || id;
}

/** How bad a time is: '', 'slow' or 'over'. */
export function heat(queue: string, kind: 'serve' | 'wait', s: number): string {
  const l = page.limits && page.limits[queue];
  const at = l ? l[kind] : kind === 'wait' ? [900, 1800] : [450, 900];
  return s >= at[1] ? 'over' : s >= at[0] ? 'slow' : '';
}

/** The words of a heat: a colour alone tells nothing to many. */
export const heatWord: { [heat: string]: string } = { slow: '偏久', over: '太久', '': '' };

/** What to tell a person about a problem, in whole sentences. */
export function told(p: Problem): string {
  const what = p.detail || p.title;
  return what + (/[。！？]$/.test(what) ? '' : '。') + (p.advice || '');
}

let saying: number | undefined;

/** Tells what came of a press. */
export function say(what: string, bad?: boolean): void {
  const line = byId('say');
  text(line, what);
  line.className = bad ? 'say say-bad' : 'say';
  window.clearTimeout(saying);
  saying = window.setTimeout(function (): void { text(line, ''); }, bad ? 15000 : 8000);
}

const patience = 8000;

/** Sends a command; what it is about waits meanwhile. Says what came of it. */
export function order(path: string, body: unknown, done: string, after?: (ok: boolean) => void): void {
  command<unknown>({ method: 'POST', path: path, as: page.as, body: body }, patience, function (problem): void {
    if (problem && problem.code === 'sign_in') {
      window.location.reload();
      return;
    }
    say(problem ? told(problem) : done, !!problem);
    desk.look();
    if (after) {
      after(!problem);
    }
  });
}

/** A list on the page whose entries stay the same elements while what they are made from is the same, so that nothing changes under
 * the hand, and the keyboard keeps its place. */
export interface Entry { id: string; sig: string; make: () => Drawn; }
export interface Drawn { el: HTMLElement; beat?: () => void; }

export class Keyed {
  private have: { [id: string]: { sig: string; drawn: Drawn } } = {};

  constructor(private box: HTMLElement) { }

  draw(list: Entry[]): void {
    const next: { [id: string]: { sig: string; drawn: Drawn } } = {};
    for (let i = 0; i < list.length; i++) {
      const e = list[i];
      const old = this.have[e.id];
      const item = old && old.sig === e.sig ? old : { sig: e.sig, drawn: e.make() };
      next[e.id] = item;
      if (old && old !== item) {
        this.box.replaceChild(item.drawn.el, old.drawn.el);
      }
      if (this.box.children[i] !== item.drawn.el) {
        this.box.insertBefore(item.drawn.el, this.box.children[i] || null);
      }
    }
    while (this.box.children.length > list.length) {
      this.box.removeChild(this.box.children[list.length]);
    }
    this.have = next;
    this.beat();
  }

  /** Brings the times up to date. */
  beat(): void {
    for (const id in this.have) {
      const b = this.have[id].drawn.beat;
      if (b) {
        b();
      }
    }
  }
}
