// The sign-in of staff pages. The server renders the form when nobody is signed in.

import { byId, text } from './dom';
import { Problem, request, sentence } from './http';

/** Shows the sign-in form and calls nothing else: the page reloads once somebody is in. Gives false if somebody is in already. */
export function gate(as: string): boolean {
  if (!document.getElementById('gate')) {
    return false;
  }
  const form = byId<HTMLFormElement>('gate-form');
  const user = byId<HTMLInputElement>('gate-user');
  const pin = byId<HTMLInputElement>('gate-pin');
  const send = byId<HTMLButtonElement>('gate-send');
  const say = byId('gate-say');
  form.addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    if (send.disabled) {
      return;
    }
    send.disabled = true;
    text(say, '');
    request<null>({ method: 'POST', path: '/sign-in', as: as, body: { user: user.value, pin: pin.value, page: as } },
      function (problem: Problem | null): void {
        if (!problem) {
          window.location.reload();
          return;
        }
        send.disabled = false;
        pin.value = '';
        pin.focus();
        text(say, sentence(problem));
      });
  });
  user.focus();
  return true;
}

/** Ends the session and shows the form again. */
export function signOut(as: string): void {
  request<null>({ method: 'POST', path: '/sign-out', as: as }, function (): void {
    window.location.reload();
  });
}
