// The director's board: how the hall does at a glance. Colours come with words, never alone.

import { dayText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, mark, setup, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Condition, Hall, HallWindow, Queue, minutes, span, stateName } from './lib/hall';
import { request } from './lib/http';
import { listen } from './lib/live';

interface BoardQueue extends Queue { taken: number; done: number; longest_s: number; open: number; }
interface BoardWindow extends HallWindow { done: number; reason: string; }
interface Board {
  seq: number; business_day: string; taken: number; waiting: number; done: number; passed: number; left: number;
  mean_wait_s: number | null; mean_serve_s: number | null; rated: number; satisfied: number; queues: BoardQueue[]; windows: BoardWindow[];
}
interface Setup { as: string; version: string; person: string; staff?: { [id: string]: string }; }

const page = setup<Setup>();
/** From how many seconds of waiting a queue is warm and hot. */
const warm = 20 * 60;
const hot = 30 * 60;

let board: Board | null = null;
let health: Condition[] = [];
let asked = false;
let again = false;

/** A mean of the day, in whole minutes. */
function meanFigure(name: string, s: number | null): HTMLElement {
  return s === null ? figure(name, '—', '') : figure(name, s < 60 ? '不到 1' : '' + Math.round(s / 60), '分钟');
}

function figure(name: string, value: string, unit: string): HTMLElement {
  const li = make('li', '', undefined, [make('span', '', name), make('b', 'num', value)]);
  if (unit) {
    li.appendChild(make('small', '', unit));
  }
  return li;
}

function draw(): void {
  const b = board;
  if (!b) {
    return;
  }
  text(byId('day'), dayText(b.business_day));
  const figures = byId('figures');
  empty(figures);
  figures.appendChild(figure('今日取号', '' + b.taken, '个'));
  figures.appendChild(figure('正在等候', '' + b.waiting, '人'));
  figures.appendChild(figure('已办结', '' + b.done, '个'));
  figures.appendChild(figure('过号', '' + b.passed, '个'));
  figures.appendChild(meanFigure('平均等候', b.mean_wait_s));
  figures.appendChild(meanFigure('平均办理', b.mean_serve_s));
  figures.appendChild(figure('满意率', b.rated ? '' + Math.round(b.satisfied / b.rated * 100) : '—', b.rated ? '%（' + b.rated + ' 评）' : ''));
  const cards = byId('windows');
  empty(cards);
  for (let i = 0; i < b.windows.length; i++) {
    cards.appendChild(card(b.windows[i]));
  }
  const rows = byId('queues');
  empty(rows);
  for (let i = 0; i < b.queues.length; i++) {
    rows.appendChild(row(b.queues[i]));
  }
  drawHealth();
}

function card(w: BoardWindow): HTMLElement {
  const t = w.ticket;
  const names: { [state: string]: string } = { open: '空闲', paused: '暂停服务', closed: '未开窗' };
  const spans: { [state: string]: string } = { called: '已叫 ', serving: '已办 ', open: '已空闲 ', paused: '已暂停 ' };
  const who = w.staff ? (page.staff && page.staff[w.staff] || w.staff) + ' · ' : '';
  const since = w.since ? (spans[t ? t.state : w.state] || '') + span(now() - Date.parse(w.since)) : '';
  return make('li', 'card card-' + (t && t.state === 'called' ? 'called' : w.state), undefined, [
    make('h3', '', w.name, [make('small', '', t ? stateName(t.state) : w.reason || '')]),
    make('div', t ? 'card-number num' : 'card-number card-none', t ? t.number : names[w.state]),
    make('p', 'num', w.state === 'closed' ? '' : who + since), make('p', 'num', '已办结 ' + w.done)
  ]);
}

function row(q: BoardQueue): HTMLElement {
  const name = make('td', '', undefined, [make('b', '', q.id), make('span', '', q.name)]);
  const heat = q.longest_s >= hot ? 'hot' : q.longest_s >= warm ? 'warm' : '';
  const idle = q.waiting > 0 && q.open === 0;
  return make('tr', '', undefined, [
    name, make('td', heat, '' + q.waiting), make('td', heat, q.waiting ? minutes(q.longest_s) : '—'),
    make('td', idle ? 'hot' : '', idle ? '无人值守' : '' + q.open), make('td', '', '' + q.done)
  ]);
}

function drawHealth(): void {
  const box = byId('alarms');
  empty(box);
  for (let i = 0; i < health.length; i++) {
    const c = health[i];
    box.appendChild(make('li', 'alarm alarm-' + c.severity, undefined, [
      make('b', '', c.title + (c.subject ? '（' + c.subject + '）' : '')), make('p', '', c.advice || '')
    ]));
  }
  if (health.length === 0) {
    box.appendChild(make('li', 'none', '一切正常'));
  }
}

/** Asks for the figures, at most one question at a time and one a second. */
function look(): void {
  if (asked) {
    again = true;
    return;
  }
  asked = true;
  request<Board>({ method: 'GET', path: '/api/v1/board', as: page.as }, function (_, answer): void {
    if (answer) {
      board = answer;
      draw();
    }
    window.setTimeout(function (): void {
      asked = false;
      if (again) {
        again = false;
        look();
      }
    }, 1000);
  });
}

function main(): void {
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  let beats = 0;
  everySecond(function (): void {
    text(byId('time'), timeText(new Date(now())));
    beats++;
    if (beats % 5 === 0) {
      draw();
    }
    if (beats % 30 === 0) {
      look();
    }
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  listen({
    as: page.as,
    onHall: function (hall: Hall): void {
      health = hall.health;
      drawHealth();
      look();
    },
    onLive: function (live: boolean): void {
      mark(byId('live'), 'bar-live-bad', !live);
      text(byId('live-text'), live ? '已连接' : '正在重连…');
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
