// The sign-in of staff pages: by PIN, by card, or both. The server renders the form when nobody is signed in.

import { Shown, CardSetup, awaitCards } from './card';
import { byId, setup, show, text } from './dom';
import { Problem, request, sentence } from './http';

/** Shows the sign-in form and calls nothing else: the page reloads once somebody is in. Gives false if somebody is in already. */
export function gate(as: string): boolean {
  if (!document.getElementById('gate')) {
    return false;
  }
  const page = setup<CardSetup>();
  const user = byId<HTMLInputElement>('gate-user');
  const pin = byId<HTMLInputElement>('gate-pin');
  const next = byId<HTMLInputElement>('gate-new');
  const again = byId<HTMLInputElement>('gate-again');
  const send = byId<HTMLButtonElement>('gate-send');
  const say = byId('gate-say');
  const tap = byId('gate-tap');
  let card: Shown | null = null;
  let taking = ''; // the person at whose sign-in somebody else goes

  const refused = function (problem: Problem): void {
    send.disabled = false;
    text(say, sentence(problem));
    if (problem.code === 'window_in_use') { // the PIN was right: the same press again means it
      taking = user.value;
      text(send, '换人登录');
      send.focus();
      return;
    }
    if (problem.code === 'pin_change' || problem.code === 'pin_weak') {
      show(byId('gate-change'), true);
      next.value = '';
      again.value = '';
      next.focus();
      return;
    }
    if (problem.code === 'card_over') {
      card = null;
    }
    if (problem.code !== 'card_first') {
      pin.value = '';
    }
    pin.focus();
  };

  const enter = function (): void {
    if (send.disabled) {
      return;
    }
    const changing = !byId('gate-change').hidden;
    if (changing && next.value !== again.value) {
      text(say, '两次输入的新 PIN 码不一样。');
      again.focus();
      return;
    }
    send.disabled = true;
    text(say, '');
    const body: { [field: string]: unknown } = { user: user.value, pin: pin.value, page: as };
    if (card && card.user === user.value) {
      body.card = card.card;
    }
    if (taking && taking === user.value) {
      body.takeover = true;
    }
    if (changing) {
      body.new_pin = next.value;
    }
    request<null>({ method: 'POST', path: '/sign-in', as: as, body: body, timeoutMS: 20000 }, function (problem: Problem | null): void {
      if (problem) {
        refused(problem);
      } else {
        window.location.reload();
      }
    });
  };

  const cards = awaitCards(page, function (words): void {
    show(byId('gate-card'), words !== '');
    text(byId('gate-card'), words);
  }, function (shown: Shown): void {
    card = shown;
    user.value = shown.user;
    text(say, '');
    show(byId('gate-card'), true);
    text(byId('gate-card'), shown.name + '，已刷工作卡' + (shown.pin && !pin.value ? '，请输入 PIN 码' : ''));
    if (shown.pin && !pin.value) {
      pin.focus();
    } else {
      enter();
    }
  });
  show(tap, page.cards && !page.cards_own);
  tap.addEventListener('click', cards.ask);
  if (page.cards_own) {
    show(byId('gate-card'), true);
    text(byId('gate-card'), '也可以把工作卡放在读卡区登录。');
  }

  user.addEventListener('input', function (): void {
    taking = '';
    text(send, '登录');
  });
  byId<HTMLFormElement>('gate-form').addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    enter();
  });
  if (user.value) {
    pin.focus();
  } else {
    user.focus();
  }
  return true;
}

/** Ends the session and shows the form again. */
export function signOut(as: string): void {
  request<null>({ method: 'POST', path: '/sign-out', as: as }, function (): void {
    window.location.reload();
  });
}
