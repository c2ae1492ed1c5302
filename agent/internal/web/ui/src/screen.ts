// The calling screen. The newest call is shown large for long enough to be read, however quickly calls follow each other.

import { dateText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, mark, restart, setup, show, text } from './lib/dom';
import { gate } from './lib/gate';
import { Call, Hall, HallWindow, find } from './lib/hall';
import { listen } from './lib/live';

interface Setup { as: string; version: string; notice: string; }

const page = setup<Setup>();

/** A call stays large for this long, less when others wait behind it. */
const largeMS = 6000;
const largeBusyMS = 3000;
/** Older calls leave the list. */
const listMS = 30 * 60 * 1000;
const waitsPerPage = 8;
const missedPerPage = 24;
/** Up to this many windows stand one below the other, more in two columns; only a few are written larger. */
const windowsInColumn = 4;
const windowsFew = 2;
const turnMS = 8000;

let hall: Hall | null = null;
let known: { [key: string]: boolean } | null = null; // calls seen; null before the first state
let line: Call[] = []; // calls that wait to be shown large
let large: Call | null = null;
let largeUntil = 0;
let turn = 0;
let live = true;

function keyOf(c: Call): string {
  return c.number + '/' + c.window + '/' + c.times + '/' + c.at;
}

/** 请 A001 号到 3 号窗口办理 */
function sentence(c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', '', '请'));
  target.appendChild(make('span', 'call-number num', c.number));
  target.appendChild(make('span', '', '号到'));
  target.appendChild(make('span', 'call-window num', c.window));
  target.appendChild(make('span', '', '号窗口办理'));
}

function onHall(next: Hall): void {
  hall = next;
  const seen: { [key: string]: boolean } = {};
  for (let i = next.calls.length - 1; i >= 0; i--) { // oldest first
    const c = next.calls[i];
    seen[keyOf(c)] = true;
    if (known && !known[keyOf(c)]) {
      line.push(c);
    }
  }
  known = seen;
  if (line.length > 12) { // a flood: only the newest are still news
    line = line.slice(line.length - 12);
  }
  step();
  draw();
}

/** Shows the next waiting call large when the present one has had its time. */
function step(): void {
  const at = Date.now();
  if (line.length > 0 && (at >= largeUntil || !large)) {
    large = line.shift() as Call;
    largeUntil = at + (line.length > 0 ? largeBusyMS : largeMS);
    sentence(large, byId('hero-text'));
    mark(byId('hero'), 'hero-idle', false);
    restart(byId('hero'), 'hero-new');
  } else if (line.length > 0) {
    largeUntil = Math.min(largeUntil, at + largeBusyMS);
  }
}

function fresh(): Call[] {
  const out: Call[] = [];
  for (let i = 0; hall && i < hall.calls.length; i++) {
    if (now() - Date.parse(hall.calls[i].at) < listMS) {
      out.push(hall.calls[i]);
    }
  }
  return out;
}

let drawn = '';

function draw(): void {
  if (!hall) {
    return;
  }
  const calls = fresh();
  const key = JSON.stringify([calls, hall.queues, hall.windows, hall.missed, hall.health.length, turn, large, live]);
  if (key === drawn) {
    return;
  }
  drawn = key;
  drawHero(calls);
  show(byId('windows'), false); // calls take their room first
  const rows = byId('rows');
  empty(rows);
  for (let i = 0; i < calls.length; i++) {
    if (large && keyOf(large) === keyOf(calls[i])) {
      continue; // it stands above
    }
    const row = make('li', '');
    sentence(calls[i], row);
    if (calls[i].times > 1) {
      row.appendChild(make('small', '', '第 ' + calls[i].times + ' 次'));
    }
    rows.appendChild(row);
    if (row.offsetTop + row.offsetHeight > rows.offsetTop + rows.offsetHeight) {
      rows.removeChild(row); // no half rows
      break;
    }
  }
  drawWindows(hall);
  drawSide(hall);
}

/** The windows that work, where calls leave room. */
function drawWindows(h: Hall): void {
  const box = byId('windows');
  const list = byId('windows-list');
  const open: HallWindow[] = [];
  for (let i = 0; i < h.windows.length; i++) {
    if (h.windows[i].state !== 'closed') {
      open.push(h.windows[i]);
    }
  }
  show(box, true);
  empty(list);
  mark(list, 'windows-few', open.length <= windowsFew);
  mark(list, 'windows-pairs', open.length > windowsInColumn);
  if (open.length === 0) {
    list.appendChild(make('li', 'windows-none', '现在没有开放的窗口'));
  } else {
    const one = list.appendChild(windowLine(h, open[0]));
    const lines = Math.floor(list.clientHeight / one.offsetHeight);
    const shown = pageOf(open, Math.max(1, lines) * (open.length > windowsInColumn ? 2 : 1));
    empty(list);
    for (let i = 0; i < shown.length; i++) {
      list.appendChild(windowLine(h, shown[i]));
    }
  }
  const last = list.lastChild as HTMLElement;
  show(box, last.offsetTop + last.offsetHeight <= list.offsetTop + list.offsetHeight + 1); // no half lines
}

/** 1号窗口 综合受理 社保医保 · 办理中 A003 */
function windowLine(h: Hall, w: HallWindow): HTMLElement {
  const names: string[] = [];
  for (let i = 0; i < w.queues.length; i++) {
    const q = find(h.queues, function (x) { return x.id === w.queues[i]; });
    if (q) {
      names.push(q.name);
    }
  }
  const state = make('span', 'windows-state');
  if (w.ticket) {
    state.appendChild(document.createTextNode(w.ticket.state === 'called' ? '正在叫' : '办理中'));
    state.appendChild(make('b', 'num', w.ticket.number));
  } else {
    text(state, w.state === 'paused' ? '暂停服务' : '空闲');
    mark(state, w.state === 'paused' ? 'windows-paused' : 'windows-free', true);
  }
  return make('li', '', undefined, [
    make('span', 'windows-what', undefined, [make('b', '', w.name), make('span', '', names.join('  '))]), state
  ]);
}

/** Without a call to show, the hero is the newest one, quietly, or a welcome. */
function drawHero(calls: Call[]): void {
  const hero = byId('hero');
  if (calls.length === 0) {
    large = null;
    mark(hero, 'hero-idle', true);
    mark(hero, 'hero-new', false);
    text(byId('hero-text'), '欢迎光临，请取号等候');
    return;
  }
  if (line.length === 0 && (!large || !hall || Date.now() > largeUntil && keyOf(large) !== keyOf(calls[0]))) {
    large = calls[0];
    mark(hero, 'hero-idle', false);
    mark(hero, 'hero-new', false);
    sentence(large, byId('hero-text'));
  }
}

/** A page of a list that is longer than its place. */
function pageOf<T>(list: T[], size: number): T[] {
  const pages = Math.max(1, Math.ceil(list.length / size));
  const from = (turn % pages) * size;
  return list.slice(from, from + size);
}

function drawSide(h: Hall): void {
  const waits = byId('waits');
  empty(waits);
  const queues = pageOf(h.queues, waitsPerPage);
  for (let i = 0; i < queues.length; i++) {
    const row = make('li', '', undefined, [make('span', '', queues[i].id + ' ' + queues[i].name), make('b', 'num', '' + queues[i].waiting)]);
    waits.appendChild(row);
  }
  const missed = byId('missed');
  empty(missed);
  const numbers = pageOf(h.missed, missedPerPage);
  for (let i = 0; i < numbers.length; i++) {
    missed.appendChild(make('li', 'num', numbers[i]));
  }
  if (numbers.length === 0) {
    missed.appendChild(make('li', 'none', '暂无'));
  }
  let offline = false;
  for (let i = 0; i < h.health.length; i++) {
    offline = offline || h.health[i].code === 'uplink_down';
  }
  show(byId('badge'), !live || offline);
  text(byId('badge'), !live ? '正在重连' : '本地运行');
}

/** Text that fits stands still; only longer text runs. */
function notice(): void {
  const box = byId('notice');
  const bar = box.parentElement as HTMLElement;
  text(box, page.notice || '取号后请在休息区等候，注意留意屏幕和语音叫号');
  mark(bar, 'ticker-run', false);
  if (box.offsetWidth > bar.clientWidth) {
    mark(bar, 'ticker-run', true);
    box.style.animationDuration = Math.round(box.offsetWidth / bar.clientWidth * 14) + 's';
  }
}

function main(): void {
  notice();
  window.addEventListener('resize', function (): void {
    notice();
    drawn = '';
    draw();
  });
  mark(byId('hero'), 'hero-idle', true);
  everySecond(function (): void {
    const at = new Date(now());
    text(byId('time'), timeText(at));
    text(byId('date'), dateText(at));
    turn = Math.floor(Date.now() / turnMS);
    step();
    draw();
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  listen({
    as: page.as, onHall: onHall,
    onLive: function (is: boolean): void {
      live = is;
      draw();
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
