// The screen above one window: whom it calls or serves, in the largest letters there are, or what it is doing instead.

import { begin, everySecond, follow, now, timeText } from './lib/clock';
import { byId, mark, restart, setup, show, text } from './lib/dom';
import { Call, Hall, HallWindow, find, waitText } from './lib/hall';
import { listen } from './lib/live';
import { Proofs, Session } from './lib/proof';
import { News } from './screen/news';
import { drawNotice } from './screen/notice';
import { fit } from './screen/place';
import { servicesOf } from './screen/windows';
import { notices, timesText } from './screen/words';

interface Setup { as: string; version: string; notice: string; window: string; session: Session; now: number; }

/** What stands on the board: a word, a number, what to do, and how it looks. */
interface Board { look: string; word: string; number: string; then: string; times: string; }

const page = setup<Setup>();
const looks = ['is-called', 'is-serving', 'is-free', 'is-paused', 'is-closed'];
const proofs = new Proofs(page.session);
const news = new News();
let hall: Hall | null = null;
let live = true;

/** The hall as this window sees it: its own calls alone. */
function own(h: Hall): Hall {
  const calls: Call[] = [];
  for (let i = 0; i < h.calls.length; i++) {
    if (h.calls[i].window === page.window) {
      calls.push(h.calls[i]);
    }
  }
  h.calls = calls;
  return h;
}

function onHall(next: Hall): void {
  if (!proofs.polled(next.proof)) {
    return;
  }
  hall = own(next);
  news.take(hall, now());
  draw();
  light();
}

/** Lights up for a call, and again when it is repeated. */
function light(): void {
  const board = byId('board');
  if (live && news.step(Date.now()) && board.classList.contains('is-called')) {
    restart(board, 'is-new');
  }
}

/** One sentence for each thing a window may be doing. */
function boardOf(w: HallWindow, calls: Call[]): Board {
  if (w.ticket && w.ticket.state === 'called') {
    const number = w.ticket.number;
    const call = find(calls, function (c) { return c.number === number; });
    return { look: 'is-called', word: '请', number: number, then: '号到本窗口办理', times: call ? timesText(call) : '' };
  }
  if (w.ticket) {
    return { look: 'is-serving', word: '正在办理', number: w.ticket.number, then: '', times: '' };
  }
  switch (w.state) {
    case 'open': return { look: 'is-free', word: '空闲', number: '', then: '请留意叫号', times: '' };
    case 'paused': return { look: 'is-paused', word: '暂停服务', number: '', then: '请稍候，或到其他窗口', times: '' };
    default: return { look: 'is-closed', word: '窗口未开', number: '', then: '请到其他窗口办理', times: '' };
  }
}

function draw(): void {
  const w = hall && find(hall.windows, function (x) { return x.id === page.window; });
  show(byId('badge'), !live);
  text(byId('badge'), live ? '' : '正在重连');
  mark(document.body, 'stale', !live);
  drawNotice(live ? page.notice || notices.usual : notices.cutOff);
  if (!live) {
    put({ look: '', word: '叫号信息中断', number: '', then: '请听广播，或问窗口工作人员', times: '' });
    text(byId('wait'), '');
  } else if (hall && w) {
    put(boardOf(w, hall.calls));
    text(byId('services'), servicesOf(hall, w));
    text(byId('wait'), waiting(hall, w));
  }
}

function put(b: Board): void {
  const board = byId('board');
  for (let i = 0; i < looks.length; i++) {
    mark(board, looks[i], looks[i] === b.look);
  }
  if (b.look !== 'is-called') {
    mark(board, 'is-new', false);
  }
  mark(board, 'quiet', b.number === '');
  text(byId('word'), b.word);
  text(byId('number'), b.number);
  text(byId('then'), b.then);
  text(byId('times'), b.times);
  fit(byId('words'), board);
}

/** 等候 12 人，约 5–15 分钟: of all the window's queues; the wait only where it has one. */
function waiting(h: Hall, w: HallWindow): string {
  if (w.state === 'closed') {
    return '';
  }
  let people = 0;
  let wait = '';
  for (let i = 0; i < h.queues.length; i++) {
    if (w.queues.indexOf(h.queues[i].id) >= 0) {
      people += h.queues[i].waiting;
      wait = w.queues.length === 1 ? waitText(h.queues[i].wait) : '';
    }
  }
  return people === 0 ? '现在无人等候' : '等候 ' + people + ' 人' + (wait ? '，' + wait : '');
}

function main(): void {
  begin(page.now);
  window.addEventListener('resize', draw);
  everySecond(function (): void {
    text(byId('time'), timeText(new Date(now())));
    light();
  });
  draw();
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  listen({
    as: page.as, query: 'session=' + page.session.id, open: proofs.open, onHall: onHall,
    onLive: function (is: boolean): void {
      live = is;
      draw();
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

main();
