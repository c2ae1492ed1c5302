// The guide's tablet: takes numbers for citizens, finds a ticket and mends it, hears who calls for help, and sees which numbers came
// out without a slip.

import { allowSound, drawAlarms } from './desk/alarm';
import { drawBookings, setUpBookings } from './desk/bookings';
import { drawFound, drawPassed, look, photo, refresh } from './desk/find';
import { Person, byTicket, drawClasses, drawQueues, setPerson, takeSteps } from './desk/issue';
import { desk, page, say } from './desk/state';
import { everySecond, follow, now, timeText } from './lib/clock';
import { byId, mark, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Hall, Input } from './lib/hall';
import { listen } from './lib/live';
import { unlessLocked, watchLock } from './lib/lock';
import { closeSheet, sheetOpen } from './lib/sheet';

const proofs: { [kind: string]: string } = { idcard: '已刷身份证', yss_code: '已扫粤省事码', ysh_code: '已扫粤商码', appointment: '已扫预约码' };

/** What somebody showed to the desk's reader or scanner. */
function onInput(input: Input): void {
  const bookings = input.bookings || [];
  if (input.ticket) {
    byTicket(input.ticket, '');
  } else if (input.identity || bookings.length > 0) {
    const p: Person = {
      identity: input.identity || '', bookings: bookings, waiting: input.waiting || [],
      words: input.identity ? (proofs[input.kind] || input.detail || '身份已核验') + '，请点业务取号' : '读到预约码'
    };
    setPerson(p);
    say('', '请点业务取号。');
  } else if (input.detail) {
    say('bad', input.detail);
  }
}

let drawn = '';
let missedBefore = '';

function onHall(next: Hall): void {
  desk.hall = next;
  drawAlarms(next);
  const key = JSON.stringify([next.queues, next.gives]);
  if (key !== drawn) {
    drawn = key;
    drawQueues();
    drawBookings();
  }
  refresh();
  const missed = JSON.stringify(next.missed);
  if (missed !== missedBefore) {
    missedBefore = missed;
    drawPassed();
  }
}

function onLive(live: boolean): void {
  desk.live = live;
  mark(byId('live'), 'bar-live-bad', !live);
  text(byId('live-text'), live ? '已连接' : '正在重连…');
  show(byId('lost'), !live);
  drawQueues();
}

const typistMS = 200; // a scanner types faster than anybody

/** A scanner types wherever the keyboard is, and then presses Enter. What it types goes into the field for it, so that it never presses
 * the button that was pressed last; over a question it goes nowhere. */
function catchScanner(): void {
  let typed = 0;
  document.addEventListener('keydown', function (e: KeyboardEvent): void {
    const at = e.target as HTMLElement;
    if (at.tagName === 'INPUT' || e.ctrlKey || e.altKey || e.metaKey) {
      return;
    }
    if (e.key.length === 1 && e.key !== ' ') {
      typed = Date.now();
      if (!sheetOpen()) {
        byId('find-number').focus(); // and the key is typed there
      }
    } else if (e.key === 'Enter' && Date.now() - typed < typistMS) {
      e.preventDefault();
    }
  });
}

function listenToPeople(): void {
  catchScanner();
  byId('find').addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    const field = byId<HTMLInputElement>('find-number');
    look(field.value);
    field.value = ''; // a scanner types the next code after it
  });
  const picture = byId<HTMLInputElement>('picture');
  byId('photo').addEventListener('click', function (): void { picture.click(); });
  picture.addEventListener('change', function (): void {
    if (picture.files && picture.files[0]) {
      photo(picture.files[0]);
    }
    picture.value = ''; // the same picture again is a change, too
  });
  byId('take-all').addEventListener('click', takeSteps);
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  document.addEventListener('click', allowSound);
  document.addEventListener('keydown', function (e: KeyboardEvent): void {
    if (e.key === 'Escape' || e.key === 'Esc') {
      closeSheet();
    }
  });
}

function main(): void {
  watchLock();
  text(byId('person'), page.person);
  desk.found = drawFound;
  onLive(true);
  drawClasses();
  say('', '先选类别，再点业务。');
  listenToPeople();
  setUpBookings();
  let beats = 0;
  everySecond(function (): void {
    text(byId('time'), timeText(new Date(now())));
    if (++beats % 20 === 0) { // somebody's time has come
      drawBookings();
    }
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!desk.busy && !sheetOpen()) {
      window.location.reload();
    }
  });
  listen({ as: page.as, query: 'gives=1', onInput: onInput, onHall: unlessLocked(onHall), onLive: onLive, onSignedOut: function (): void { window.location.reload(); } });
}

if (!gate(page.as)) {
  main();
}
