// The director's page: the hall now, and the sheet of the day. Settings and days played again have pages of their own.

import { dateText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, mark, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Hall } from './lib/hall';
import { Problem, request } from './lib/http';
import { listen } from './lib/live';
import { unlessLocked, watchLock } from './lib/lock';
import { closeSheet } from './lib/sheet';
import { useClock } from './board/act';
import { drawDay } from './board/day';
import { Board, desk, hallNow, instant, page, told } from './board/desk';
import { beatLive, drawHealth, drawLive, setUpLive } from './board/live';

/** A part of the page; its panel and its tab in the template are panel-<id> and tab-<id>. */
interface Tab { id: string; draw: () => void; }

const tabs: Tab[] = [
  { id: 'live', draw: drawLive },
  { id: 'day', draw: drawDay }
];

let at = tabs[0];
let asked = false;
let again = false;

/** Opens the part that the address names, the first one else. */
function turn(): void {
  const named = tabs.filter(function (t): boolean { return '#' + t.id === window.location.hash; })[0];
  at = named || tabs[0];
  tabs.forEach(function (t): void {
    const tab = byId('tab-' + t.id);
    show(byId('panel-' + t.id), t === at);
    mark(tab, 'tab-on', t === at);
    tab.setAttribute('aria-current', t === at ? 'page' : 'false');
  });
  at.draw();
  window.scrollTo(0, 0);
}

function draw(): void {
  show(byId('loading'), !desk.board);
  if (desk.board) {
    at.draw();
  }
}

function take(b: Board): void {
  desk.board = b;
  desk.ahead = Date.now() - instant(b.now);
  draw();
}

/** Asks for the figures, at most one question at a time and one a second. */
function look(): void {
  if (asked) {
    again = true;
    return;
  }
  asked = true;
  request<Board>({ method: 'GET', path: '/api/v1/board', as: page.as }, function (problem: Problem | null, answer): void {
    if (answer) {
      take(answer);
    } else if (problem && !desk.board) {
      text(byId('loading-text'), told(problem));
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
  watchLock();
  desk.look = look;
  show(byId('tab-plan'), !!page.directs);
  show(byId('tab-rerun'), !!page.directs);
  text(byId('person'), page.person);
  setUpLive();
  useClock();
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  byId('print').addEventListener('click', function (): void { window.print(); });
  window.addEventListener('hashchange', turn);
  document.addEventListener('keydown', function (e: KeyboardEvent): void {
    if (e.key === 'Escape' || e.key === 'Esc') {
      closeSheet();
    }
  });
  turn();
  let beats = 0;
  everySecond(function (): void {
    text(byId('time'), timeText(new Date(desk.board ? hallNow() : now())));
    if (desk.board && at.id === 'live') {
      beatLive();
    }
    beats++;
    if (beats % 15 === 0) {
      look();
    }
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  listen({
    as: page.as,
    onHall: unlessLocked(function (hall: Hall): void {
      desk.health = hall.health;
      drawHealth();
      look();
    }),
    onLive: function (live: boolean): void {
      mark(byId('live'), 'bar-live-bad', !live);
      text(byId('live-text'), live ? '已连接' : '正在重连…');
      show(byId('stale'), !live);
      if (!live) {
        const then = desk.board ? new Date(instant(desk.board.now)) : null;
        text(byId('stale'), '连不上大厅服务器，正在重连。' + (then ? '下面是 ' + dateText(then) + ' ' + timeText(then) + ' 的情况，现在可能已经变了。' : ''));
      }
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
