// The hall's settings, 设置: a part of the board with a page of its own, for those who may direct the hall.

import { everySecond, follow, now, timeText } from './lib/clock';
import { byId, mark, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { watchLock } from './lib/lock';
import { closeSheet } from './lib/sheet';
import { page } from './board/desk';
import { changedElsewhere, openSettings, sayLast, setUpSettings, unsaved } from './plan/edit';

/** The hall works by other settings now, or its program is another: the page begins anew, unless somebody is writing in it. */
function renew(): void {
  if (unsaved()) {
    changedElsewhere();
    return;
  }
  window.location.reload();
}

function main(): void {
  watchLock();
  text(byId('person'), page.person);
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  document.addEventListener('keydown', function (e: KeyboardEvent): void {
    if (e.key === 'Escape' || e.key === 'Esc') {
      closeSheet();
    }
  });
  setUpSettings();
  openSettings();
  sayLast();
  everySecond(function (): void { text(byId('time'), timeText(new Date(now()))); });
  follow(page.as, page.version, function (alive: boolean): void {
    mark(byId('live'), 'bar-live-bad', !alive);
    text(byId('live-text'), alive ? '已连接' : '正在重连…');
    show(byId('stale'), !alive);
  }, renew);
}

if (!gate(page.as)) {
  main();
}
