// The windows that work: their names, what they serve and whom they have.

import { byId, empty, make, mark, show, text } from '../lib/dom';
import { Hall, HallWindow, find } from '../lib/hall';
import { fitName, pageText, partOf, rem, upright } from './place';

/** How the windows stand: columns, and the least height of a line and the largest letters in rem. */
export interface Layout { columns: number; line: number; letters: number; short: boolean; }

/** In halls of so few windows the call gets more room, in halls of so many it gets less. */
const few = 2;
const many = 12;
/** Characters of a window's name; longer ones get more room. */
const longName = 6;
/** In rem: the height of the windows' heading, and at most of a window's line. */
export const headRem = 7;
const mostRem = 20;

export function openWindows(h: Hall): HallWindow[] {
  const open: HallWindow[] = [];
  for (let i = 0; i < h.windows.length; i++) {
    if (h.windows[i].state !== 'closed') {
      open.push(h.windows[i]);
    }
  }
  return open;
}

/** Whether names need more room than that of 12号窗口. */
export function longNames(windows: HallWindow[]): boolean {
  return !!find(windows, function (w) { return w.name.length > longName; });
}

export function layout(open: HallWindow[]): Layout {
  const windows = open.length;
  mark(document.body, 'few', windows <= few);
  mark(document.body, 'many', windows > many);
  if (windows > many) {
    return { columns: (upright() ? 2 : 3) - (longNames(open) ? 1 : 0), line: 3.6, letters: 2.6, short: true };
  }
  if (windows > 4) {
    return { columns: 2, line: 5.6, letters: upright() ? 2.4 : 2.9, short: false };
  }
  return { columns: 1, line: 5.6, letters: windows > few ? 4 : 4.4, short: false };
}

/** The height in rem that all windows need, heading and all. */
export function heightOf(windows: number, how: Layout): number {
  return headRem + Math.max(1, Math.ceil(windows / how.columns)) * how.line;
}

/** Draws the windows in the height that the calls leave, in rem. While the hall is not reached it says only what each serves. */
export function drawWindows(h: Hall, open: HallWindow[], how: Layout, height: number, live: boolean): void {
  const list = byId('windows-list');
  empty(list);
  list.style.fontSize = '';
  show(byId('windows-none'), open.length === 0);
  const part = partOf(open, Math.max(1, Math.floor(height / how.line)) * how.columns);
  text(byId('windows-page'), pageText(part));
  const lines = Math.ceil(part.size / how.columns);
  const each = Math.min(mostRem, height / lines);
  for (let i = 0; i < part.items.length; i++) {
    const li = list.appendChild(windowLine(h, part.items[i], how.short, live));
    li.style.width = 100 / how.columns + '%';
    li.style.height = Math.floor(each * rem()) + 'px';
  }
  list.style.fontSize = Math.min(how.letters, each / (how.short ? 1.5 : 2.7)) * rem() + 'px';
  for (let i = 0; i < list.children.length; i++) {
    fitName(list.children[i].children[0].children[0] as HTMLElement);
  }
}

/** 1号窗口 综合受理 社保医保 · 办理中 A003 */
function windowLine(h: Hall, w: HallWindow, short: boolean, live: boolean): HTMLElement {
  const what = make('span', 'windows-what', undefined, [make('b', '', w.name)]);
  if (!short) {
    what.appendChild(make('span', '', servicesOf(h, w)));
  }
  return make('li', '', undefined, live ? [what, stateOf(w)] : [what]);
}

/** The names of a window's queues. */
export function servicesOf(h: Hall, w: HallWindow): string {
  const names: string[] = [];
  for (let i = 0; i < w.queues.length; i++) {
    const q = find(h.queues, function (x) { return x.id === w.queues[i]; });
    if (q) {
      names.push(q.name);
    }
  }
  return names.join('　');
}

function stateOf(w: HallWindow): HTMLElement {
  const state = make('span', 'windows-state');
  if (w.ticket) {
    const called = w.ticket.state === 'called';
    mark(state, 'windows-called', called);
    state.appendChild(make('span', 'windows-word', called ? '正在叫' : '办理中'));
    state.appendChild(make('b', 'num', w.ticket.number));
  } else {
    text(state, w.state === 'paused' ? '暂停服务' : '空闲');
    mark(state, w.state === 'paused' ? 'windows-paused' : 'windows-free', true);
  }
  return state;
}
