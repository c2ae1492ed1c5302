// The lock of the pages of people. Whoever is signed in and leaves the page alone comes back by PIN or card; what is in the page stays, and
// is not seen meanwhile. The server locks; the page shows it.

import { Shown, CardSetup, awaitCards } from './card';
import { button, make, mark, setup, show, text } from './dom';
import { Hall } from './hall';
import { Problem, request, sentence } from './http';

interface Setup extends CardSetup { person?: string; me?: string; lock_s?: number; name?: string; }

const tellMS = 15000; // the server is told at most so often that somebody is there
const lookMS = 3000;

// What is said otherwise here than where anybody may sign in.
const refusals: { [code: string]: string } = {
  window_in_use: '这个窗口已由他人登录，请按“换人登录”。',
  pin_wrong: 'PIN 码不对，请再输一次。'
};

let cover: HTMLElement | null = null;
let number = '';
let shownNumber: HTMLElement | null = null;
let back: HTMLElement | null = null; // where the keyboard was

/** Reports whether the page is locked: keys are for the lock alone then. */
export function isLocked(): boolean {
  return cover !== null;
}

function drawNumber(at: HTMLElement): void {
  text(at, number ? '当前号 ' + number : '');
  show(at, number !== '');
}

/** Locks the page for whoever leaves it for a moment. */
export function lockNow(as: string): void {
  request<null>({ method: 'POST', path: '/lock', as: as }, function (problem: Problem | null): void {
    if (!problem) {
      shut(setup<Setup>());
    }
  });
}

/** Has a page see the hall only while it is not locked; then the hall is no more than a screen at its place would show. */
export function unlessLocked(onHall: (hall: Hall) => void): (hall: Hall) => void {
  return function (next: Hall): void {
    if (!next.locked) {
      onHall(next);
      return;
    }
    const t = next.windows.length === 1 ? next.windows[0].ticket : null;
    number = t ? t.number : '';
    shut(setup<Setup>());
    if (shownNumber) {
      drawNumber(shownNumber);
    }
  };
}

/** Has the page lock when nobody is there. Pages that nobody is signed in at never lock. */
export function watchLock(): void {
  const page = setup<Setup>();
  if (!page.me) {
    return;
  }
  document.addEventListener('keydown', function (e: KeyboardEvent): void { // keys are for the lock alone, and F5 does not reload
    if (isLocked()) {
      e.stopPropagation();
      if (/^F([1-9]|10)$/.test(e.key)) {
        e.preventDefault();
      }
    }
  }, true);
  const look = function (problem: Problem | null): void {
    if (problem && problem.status === 423) {
      shut(page);
    }
  };
  let seen = Date.now();
  let told = seen;
  ['keydown', 'mousedown', 'mousemove', 'wheel', 'touchstart'].forEach(function (name): void {
    document.addEventListener(name, function (): void { seen = Date.now(); }, true);
  });
  window.setInterval(function (): void {
    const now = Date.now();
    if (isLocked()) {
      return;
    }
    if (seen > told && now - told >= tellMS) {
      told = now;
      request<null>({ method: 'POST', path: '/here', as: page.as }, look);
    } else if (page.lock_s && now - Math.max(seen, told) >= page.lock_s * 1000 + lookMS) {
      request<null>({ method: 'GET', path: '/here', as: page.as }, look);
      told = now - page.lock_s * 1000; // asked again after a while, should the page be open for other reasons
    }
  }, lookMS);
}

function shut(page: Setup): void {
  if (cover) {
    return;
  }
  back = document.activeElement as HTMLElement | null;
  const pin = make('input', '') as HTMLInputElement;
  pin.type = 'password';
  pin.id = 'lock-pin';
  pin.maxLength = 64;
  pin.setAttribute('inputmode', 'numeric');
  pin.setAttribute('autocomplete', 'off');
  const label = make('label', '', page.person + '，请输入 PIN 码') as HTMLLabelElement;
  label.htmlFor = pin.id;
  const title = make('h1', '', '已锁定');
  title.id = 'lock-title';
  const current = make('p', 'lock-number num');
  const card = make('p', 'gate-card');
  const say = make('p', 'gate-say');
  say.setAttribute('role', 'alert');
  const send = make('button', 'btn btn-main', '解锁') as HTMLButtonElement;
  send.type = 'submit';
  const form = make('form', 'gate-box', undefined, [
    make('p', 'gate-hall', page.name || document.title), title, current, label, pin, card, say, send
  ]) as HTMLFormElement;
  let known: Shown | null = null;

  const open = function (): void {
    if (send.disabled) {
      return;
    }
    send.disabled = true;
    text(say, '');
    const body: { [field: string]: unknown } = { user: page.me, pin: pin.value, page: page.as };
    if (known) {
      body.card = known.card;
    }
    request<null>({ method: 'POST', path: '/sign-in', as: page.as, body: body, timeoutMS: 20000 }, function (problem: Problem | null): void {
      send.disabled = false;
      if (!problem) {
        cards.stop();
        unlock();
        return;
      }
      if (problem.code !== 'card_first') {
        pin.value = '';
      }
      known = problem.code === 'card_over' ? null : known;
      text(say, refusals[problem.code] || sentence(problem));
      pin.focus();
    });
  };
  const cards = awaitCards(page, function (words): void { text(card, words); }, function (shown: Shown): void {
    if (shown.user !== page.me) {
      text(card, '');
      text(say, '这是 ' + shown.name + ' 的工作卡。换人请按“换人登录”。');
      return;
    }
    known = shown;
    text(card, '已刷工作卡' + (shown.pin && !pin.value ? '，请输入 PIN 码' : ''));
    if (!shown.pin || pin.value) {
      open();
    }
  });
  if (page.cards) {
    if (page.cards_own) {
      text(card, '也可以把工作卡放在读卡区解锁。');
    } else {
      form.appendChild(button('btn', '刷工作卡解锁', cards.ask));
    }
  }
  form.appendChild(button('btn', '换人登录', function (): void { window.location.reload(); }));
  form.addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    open();
  });
  cover = make('div', 'gate lock', undefined, [form]);
  cover.setAttribute('role', 'dialog');
  cover.setAttribute('aria-modal', 'true');
  cover.setAttribute('aria-labelledby', title.id);
  shownNumber = current;
  drawNumber(current);
  document.body.appendChild(cover);
  mark(document.body, 'locked', true);
  pin.focus();
}

function unlock(): void {
  if (cover) {
    document.body.removeChild(cover);
  }
  cover = null;
  shownNumber = null;
  mark(document.body, 'locked', false);
  if (back && back.focus) {
    back.focus();
  }
}
