// The calling screen. The newest call is shown large for long enough to be read, however quickly calls follow each other; below
// it stand the calls before it and the windows that work, as large as their place allows.

import { dateText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, mark, phrases, restart, setup, show, text } from './lib/dom';
import { gate } from './lib/gate';
import { Call, Hall, HallWindow, find } from './lib/hall';
import { listen } from './lib/live';

interface Setup { as: string; version: string; notice: string; }

/** How the windows stand: columns, and the least height of a line and the largest letters in rem. */
interface Layout { columns: number; line: number; letters: number; short: boolean; }

const page = setup<Setup>();

/** A call stays large for this long, less when others wait behind it. */
const largeMS = 6000;
const largeBusyMS = 3000;
/** Older calls leave the list. */
const listMS = 30 * 60 * 1000;
/** How long a part of what is longer than its place stays. */
const turnMS = 8000;
/** In halls of so few windows the call gets more room. */
const fewWindows = 2;
/** In rem: the heights of a row of calls, of the windows' heading, and at most of a window's line. */
const rowRem = 7.2;
const headRem = 7;
const mostRem = 20;
/** Passed numbers shown at a time. */
const missedPerPage = 12;
/** In rem: the height of a queue's line, at least and at most. */
const waitRem = 4;
const waitMostRem = 12;
/** How small a long name may be written, in per cent. */
const leastName = 65;

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

/** 请 A001 号到 3 号窗口办理, in two parts that may stand one below the other. */
function sentence(c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', '', '请'), make('span', 'call-number num', c.number), make('span', '', '号')
  ]));
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', '', '到'), make('span', 'call-window num', c.window), make('span', '', '号窗口办理')
  ]));
}

/** Makes the letters smaller until a text is no wider than its box. */
function fit(target: HTMLElement, box: HTMLElement): void {
  target.style.fontSize = '';
  const room = box.clientWidth * .96;
  if (target.offsetWidth > room) {
    target.style.fontSize = Math.floor(100 * room / target.offsetWidth) + '%';
  }
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
    mark(byId('hero'), 'hero-idle', false);
    sentence(large, byId('hero-text'));
    fit(byId('hero-text'), byId('hero'));
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
  drawSide(hall);
  const rem = parseFloat(window.getComputedStyle(document.documentElement).fontSize || '16');
  const open: HallWindow[] = [];
  for (let i = 0; i < hall.windows.length; i++) {
    if (hall.windows[i].state !== 'closed') {
      open.push(hall.windows[i]);
    }
  }
  mark(document.body, 'few', open.length <= fewWindows);
  fit(byId('hero-text'), byId('hero'));
  const how = layout(open.length);
  const height = byId('below').clientHeight / rem;
  const least = headRem + Math.max(1, Math.ceil(open.length / how.columns)) * how.line;
  const rows = drawRows(calls, Math.floor((height - least) / rowRem));
  drawWindows(hall, open, how, height - rows * rowRem - headRem, rem);
}

/** The calls before the large one, at most as many as asked for; gives how many there are. */
function drawRows(calls: Call[], most: number): number {
  const rows = byId('rows');
  empty(rows);
  for (let i = 0; i < calls.length && rows.children.length < most; i++) {
    if (large && keyOf(large) === keyOf(calls[i])) {
      continue; // it stands above
    }
    const row = make('li', '');
    sentence(calls[i], row);
    if (calls[i].times > 1) {
      row.appendChild(make('small', '', '第 ' + calls[i].times + ' 次'));
    }
    rows.appendChild(row);
  }
  return rows.children.length;
}

function layout(windows: number): Layout {
  const upright = window.innerHeight > window.innerWidth;
  if (windows > 12) {
    return { columns: upright ? 2 : 3, line: 3.8, letters: 2.5, short: true };
  }
  if (windows > 4) {
    return { columns: 2, line: 5.6, letters: upright ? 2.4 : 2.9, short: false };
  }
  return { columns: 1, line: 5.6, letters: windows > fewWindows ? 4 : 4.4, short: false };
}

/** The windows that work, in the height that the calls leave. */
function drawWindows(h: Hall, open: HallWindow[], how: Layout, height: number, rem: number): void {
  const list = byId('windows-list');
  empty(list);
  list.style.fontSize = '';
  show(byId('windows-none'), open.length === 0);
  const fits = Math.max(1, Math.floor(height / how.line));
  const shown = pageOf(open, fits * how.columns);
  const lines = Math.ceil(pageSize(open.length, fits * how.columns) / how.columns);
  const each = Math.min(mostRem, height / lines);
  for (let i = 0; i < shown.length; i++) {
    const li = list.appendChild(windowLine(h, shown[i], how.short));
    li.style.width = 100 / how.columns + '%';
    li.style.height = Math.floor(each * rem) + 'px';
  }
  list.style.fontSize = Math.min(how.letters, each / (how.short ? 1.6 : 2.7)) * rem + 'px';
}

/** 1号窗口 综合受理 社保医保 · 办理中 A003 */
function windowLine(h: Hall, w: HallWindow, short: boolean): HTMLElement {
  const names: string[] = [];
  for (let i = 0; i < w.queues.length && !short; i++) {
    const q = find(h.queues, function (x) { return x.id === w.queues[i]; });
    if (q) {
      names.push(q.name);
    }
  }
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
  const what = make('span', 'windows-what', undefined, [make('b', '', w.name)]);
  if (!short) {
    what.appendChild(make('span', '', names.join('　')));
  }
  return make('li', '', undefined, [what, state]);
}

/** Without a call to show, the hero is the newest one, quietly, or a welcome. */
function drawHero(calls: Call[]): void {
  const hero = byId('hero');
  if (calls.length === 0) {
    large = null;
    mark(hero, 'hero-idle', true);
    mark(hero, 'hero-new', false);
    phrases(byId('hero-text'), '欢迎光临，请取号等候');
  } else if (line.length === 0 && (!large || !hall || Date.now() > largeUntil && keyOf(large) !== keyOf(calls[0]))) {
    large = calls[0];
    mark(hero, 'hero-idle', false);
    mark(hero, 'hero-new', false);
    sentence(large, byId('hero-text'));
  }
  fit(byId('hero-text'), hero);
}

/** How many of a list stand on a page that has room for most: all pages are about as long. */
function pageSize(length: number, most: number): number {
  return Math.ceil(length / Math.max(1, Math.ceil(length / most)));
}

/** The page of a list whose turn it is. */
function pageOf<T>(list: T[], most: number): T[] {
  const size = pageSize(list.length, most) || 1;
  const from = (turn % Math.ceil(Math.max(1, list.length) / size)) * size;
  return list.slice(from, from + size);
}

function drawSide(h: Hall): void {
  drawMissed(h.missed);
  drawWaits(h);
  let offline = false;
  for (let i = 0; i < h.health.length; i++) {
    offline = offline || h.health[i].code === 'uplink_down';
  }
  show(byId('badge'), !live || offline);
  text(byId('badge'), !live ? '正在重连' : '本地运行');
  mark(document.body, 'stale', !live);
  drawNotice();
}

function drawMissed(missed: string[]): void {
  const box = byId('missed');
  empty(box);
  const numbers = pageOf(missed, missedPerPage);
  for (let i = 0; i < numbers.length; i++) {
    box.appendChild(make('li', 'num', numbers[i]));
  }
  if (numbers.length === 0) {
    box.appendChild(make('li', 'none', '暂无过号'));
  }
}

/** How many wait, in lines as high as their place allows. */
function drawWaits(h: Hall): void {
  const box = byId('waits');
  empty(box);
  let all = 0;
  for (let i = 0; i < h.queues.length; i++) {
    all += h.queues[i].waiting;
  }
  text(byId('waits-all'), '共 ' + all + ' 人');
  const rem = parseFloat(window.getComputedStyle(document.documentElement).fontSize || '16');
  const columns = window.innerHeight > window.innerWidth ? 2 : 1;
  const height = box.clientHeight / rem;
  const fits = columns > 1 ? 4 : Math.max(1, Math.floor(height / waitRem));
  const queues = pageOf(h.queues, fits * columns);
  const lines = Math.ceil(pageSize(h.queues.length, fits * columns) / columns);
  const each = columns > 1 ? waitRem : Math.min(waitMostRem, height / lines);
  box.style.height = columns > 1 ? Math.ceil(lines * each * rem) + 'px' : '';
  for (let i = 0; i < queues.length; i++) {
    const row = make('li', '', undefined, [make('span', '', queues[i].id + ' ' + queues[i].name), make('b', 'num', '' + queues[i].waiting)]);
    row.style.height = Math.floor(each * rem) + 'px';
    box.appendChild(row);
  }
  box.style.fontSize = Math.min(3.2, each / 1.6) * rem + 'px';
  for (let i = 0; i < box.children.length; i++) { // a long name is written smaller before it is cut
    const name = box.children[i].children[0] as HTMLElement;
    if (name.scrollWidth > name.clientWidth) {
      name.style.fontSize = Math.max(leastName, Math.floor(100 * name.clientWidth / name.scrollWidth)) + '%';
    }
  }
}

/** The line at the bottom stands still; what is longer than the screen comes one part after the other. */
function drawNotice(): void {
  const box = byId('notice');
  const bar = box.parentElement as HTMLElement;
  const words = live ? page.notice || '取号后请在休息区等候，留意屏幕和语音叫号。' : '屏幕正在重连，叫号请听广播、看窗口。';
  text(box, words);
  if (box.offsetWidth <= bar.clientWidth) {
    return;
  }
  const parts = words.match(/.+?(?:[，。；！？]+[”）]*|$)/g) || [words];
  const pieces: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    const last = pieces.length - 1;
    text(box, last >= 0 ? pieces[last] + parts[i] : '');
    if (last >= 0 && box.offsetWidth <= bar.clientWidth) {
      pieces[last] += parts[i];
    } else {
      pieces.push(parts[i]);
    }
  }
  text(box, pieces[turn % pieces.length].replace(/[，；]$/, ''));
  fit(box, bar);
}

function main(): void {
  window.addEventListener('resize', function (): void {
    drawn = '';
    draw();
  });
  mark(byId('hero'), 'hero-idle', true);
  drawNotice();
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
