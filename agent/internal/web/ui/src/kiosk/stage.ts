// Which view the kiosk shows, for how long, and to whom. The time left is always shown; any touch prolongs it.

import { byId, mark, phrases, setup, show, text } from '../lib/dom';
import { find } from '../lib/hall';
import { readOut } from './aloud';
import { QueueSetup } from './queue';
import { t } from './words';

/** What the server tells the page: desk says where the guide's desk is. */
interface Setup { as: string; version: string; queues: QueueSetup[]; reads: string[]; desk: string; }

export const page = setup<Setup>();

/** A queue by its id; one that this kiosk does not offer goes by its letter. */
export function queueOf(id: string): QueueSetup {
  return find(page.queues, function (q) { return q.id === id; }) || { id: id, name: id, english: '', dept: '', identity: '', windows: '' };
}

export type View = 'home' | 'card' | 'camera' | 'issuing' | 'result' | 'mine' | 'person' | 'privacy' | 'message';

/** Seconds a view stays without a touch; 0: until it goes by itself. */
const stays: { [view: string]: number } = { home: 60, card: 60, camera: 0, issuing: 0, result: 20, mine: 40, person: 60, privacy: 90, message: 30 };
/** Elderly people read longer. */
const elderStays = 1.5;
/** Seconds before the end when the page asks whether somebody is still there. */
const warnAt = 20;

let view: View = 'home';
let left = 0; // seconds until the view ends; 0: it stays
let elder = false;
let visit = 0; // grows with each citizen, so that late answers are not shown to the next
let longer = 1; // how much longer than others the view stays
const nothing = function (): void { /* no view was shown yet, or it leaves nothing behind */ };
let draw = nothing;
let leave = nothing;
let begun = function (): boolean { return false; };
let over = function (): void { /* set by the page */ };

export function shown(): View { return view; }
export function isElder(): boolean { return elder; }
export function visitor(): number { return visit; }
export function nextVisitor(): number { return ++visit; }
export function slower(): number { return elder ? elderStays : 1; }

/** Tells how to find out whether somebody has begun at the home view, and what to do when a visit is over. */
export function watchVisit(hasBegun: () => boolean, onOver: () => void): void {
  begun = hasBegun;
  over = onOver;
}

/** Shows a view; again draws it anew when the language or the size of the letters changes, onLeave runs when another one comes. */
export function go(next: View, again: () => void, onLeave?: () => void): void {
  leave();
  leave = onLeave || nothing;
  view = next;
  draw = again;
  longer = 1;
  const views = document.querySelectorAll('.view');
  for (let i = 0; i < views.length; i++) {
    show(views[i] as HTMLElement, views[i].id === next);
  }
  again(); // when it is in sight: names are measured
  touch();
  readOut(byId(next));
}

export function redraw(): void {
  draw();
  showCount();
  readOut(byId(view));
}

/** Gives the view more time than others of its kind have. */
export function linger(times: number): void {
  longer = times;
  touch();
}

/** Somebody is there: the time starts anew. */
export function touch(): void {
  left = Math.round(stays[view] * slower() * longer);
  if (view === 'home' && !elder && !begun()) {
    left = 0;
  }
  show(byId('still'), false);
  showCount();
}

/** Somebody who waits for the machine must not be sent away. */
export function hold(): void {
  left = Math.max(left, stays[view]);
}

export function timed(): boolean {
  return left > 0;
}

/** The visit is over. */
export function end(): void {
  visit++;
  over();
}

export function setElder(on: boolean): void {
  elder = on;
  mark(document.documentElement, 'elder', on);
  const b = byId('elder');
  text(b, on ? t('标准版', 'Normal') : t('长辈版', 'Larger'));
  b.setAttribute('aria-pressed', on ? 'true' : 'false');
}

function showCount(): void {
  phrases(byId('count'), left > 0 ? t(left + ' 秒后返回首页，点一下屏幕可以延长', 'Back to start in ' + left + ' s. Touch the screen to stay.') : '');
  text(byId('still-count'), left > 0 ? t(left + ' 秒后返回首页', 'Back to start in ' + left + ' s') : '');
}

/** A second has gone by. */
export function second(): void {
  if (left === 0) {
    return;
  }
  left--;
  if (left === 0) {
    end();
    return;
  }
  showCount();
  const asks = left <= warnAt && view !== 'result' && view !== 'message';
  if (asks && byId('still').hidden) {
    show(byId('still'), true);
    byId('still-go').focus();
  }
}
