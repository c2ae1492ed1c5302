// Questions over a page: a sheet with a title, choices and buttons.

import { button, byId, empty, make, mark, show, text } from './dom';

export interface Named { id: string; name: string; }

let before: HTMLElement | null = null; // had the focus when the sheet was opened
let shown = 0; // counts the questions

/** Shows a question over the page, with its buttons and a way out. The keyboard stays in it. Gives whether it is still shown. */
export function sheet(title: string, body: HTMLElement[], foot: HTMLButtonElement[], out?: string): () => boolean {
  const mine = ++shown;
  text(byId('sheet-title'), title);
  const box = byId('sheet-body');
  empty(box);
  for (let i = 0; i < body.length; i++) {
    box.appendChild(body[i]);
  }
  const bottom = byId('sheet-foot');
  empty(bottom);
  bottom.appendChild(button('btn', out || '取消 Esc', closeSheet));
  for (let i = 0; i < foot.length; i++) {
    bottom.appendChild(foot[i]);
  }
  if (!sheetOpen()) {
    before = document.activeElement as HTMLElement | null;
    document.addEventListener('keydown', stay);
  }
  show(byId('cover'), true);
  const first = (foot[0] && !foot[0].disabled ? foot[0] : box.getElementsByTagName('button')[0]) as HTMLButtonElement | undefined;
  if (first) {
    first.focus();
  }
  return function (): boolean { return sheetOpen() && shown === mine; };
}

export function closeSheet(): void {
  if (!sheetOpen()) {
    return;
  }
  show(byId('cover'), false);
  document.removeEventListener('keydown', stay);
  if (before && before.focus) {
    before.focus();
  }
}

/** Tab goes round within the sheet. */
function stay(e: KeyboardEvent): void {
  if (e.key !== 'Tab') {
    return;
  }
  const all = byId('cover').querySelectorAll<HTMLButtonElement | HTMLInputElement>('button, input');
  const open: HTMLElement[] = [];
  for (let i = 0; i < all.length; i++) {
    if (!all[i].disabled) {
      open.push(all[i]);
    }
  }
  const at = open.indexOf(document.activeElement as HTMLElement);
  open[(at + (e.shiftKey ? open.length - 1 : 1)) % open.length].focus();
  e.preventDefault();
}

export function sheetOpen(): boolean {
  return !byId('cover').hidden;
}

/** Buttons of which one is chosen; arrow keys go from one to the next. */
export function choices(name: string, list: Named[], chosen: string, onChoose: (id: string) => void): HTMLElement {
  const box = make('div', 'choices');
  box.setAttribute('role', 'radiogroup');
  box.setAttribute('aria-label', name);
  const all = box.getElementsByTagName('button');
  for (let i = 0; i < list.length; i++) {
    const b = button('btn', list[i].name, function (): void {
      for (let j = 0; j < all.length; j++) {
        choose(all[j], all[j] === b);
      }
      onChoose(list[i].id);
    });
    b.setAttribute('role', 'radio');
    choose(b, list[i].id === chosen);
    b.addEventListener('keydown', function (e: KeyboardEvent): void {
      const step = /^(Arrow)?(Right|Down)$/.test(e.key) ? 1 : /^(Arrow)?(Left|Up)$/.test(e.key) ? -1 : 0;
      if (step !== 0) {
        all[(i + step + all.length) % all.length].focus();
        e.preventDefault();
      }
    });
    box.appendChild(b);
  }
  return box;
}

function choose(b: HTMLElement, on: boolean): void {
  mark(b, 'btn-on', on);
  b.setAttribute('aria-checked', on ? 'true' : 'false');
}

/** Asks for one of a few reasons; out is what the way out is called. */
export function askReason(title: string, reasons: string[], onReason: (reason: string) => void, out?: string): void {
  const list: Named[] = [];
  for (let i = 0; i < reasons.length; i++) {
    list.push({ id: reasons[i], name: reasons[i] });
  }
  sheet(title, [choices(title, list, '', function (reason: string): void {
    closeSheet();
    onReason(reason);
  })], [], out);
}
