// A queue as a button of the kiosk: its letter and name, how many wait, and what a press does.

import { button, make } from '../lib/dom';
import { Queue, waitText } from '../lib/hall';

export interface QueueSetup { id: string; name: string; dept: string; identity: string; windows: string; }

/** Makes the button; asks says that it asks for a card or code first. */
export function queueButton(q: QueueSetup, state: Queue | null, asks: boolean, onPress: () => void): HTMLButtonElement {
  const b = button('queue', '', onPress);
  const name = make('span', 'queue-text', undefined, [make('span', 'queue-name', q.name)]);
  if (q.dept) {
    name.appendChild(make('span', 'queue-dept', q.dept));
  }
  b.appendChild(make('span', 'queue-top', undefined, [make('span', 'queue-letter', q.id), name]));
  const foot = make('span', 'queue-foot num');
  if (state && state.waiting > 0) {
    const people = make('span', '', '等候');
    people.appendChild(make('b', '', '' + state.waiting));
    people.appendChild(document.createTextNode('人'));
    foot.appendChild(people);
    foot.appendChild(make('span', '', waitText(state.wait)));
  } else {
    foot.appendChild(make('span', 'queue-free', state ? '无人等候' : ''));
    foot.appendChild(make('span', '', asks ? '需带证件' : ''));
  }
  b.appendChild(foot);
  b.appendChild(make('span', 'queue-go', '取号'));
  return b;
}

/** Gives the lines of a name that needs more than one about the same length, so that none holds a lonely character. */
export function balance(name: HTMLElement): void {
  const height = parseFloat(window.getComputedStyle(name).lineHeight || '');
  const lines = Math.round(name.offsetHeight / height);
  if (lines > 1) {
    name.style.maxWidth = Math.ceil((name.textContent || '').length / lines) + .1 + 'em';
  }
}
