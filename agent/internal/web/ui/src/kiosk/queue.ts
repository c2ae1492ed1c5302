// A queue as a button of the kiosk: its letter and name, how many wait, whether it gives numbers, and what a press does.

import { button, make } from '../lib/dom';
import { Gives, Queue } from '../lib/hall';
import { shortReason } from './refusal';
import { language, t, waitSay } from './words';

export interface QueueSetup { id: string; name: string; english: string; dept: string; identity: string; windows: string; }

/** What a button shows beside the queue itself: asks says that it asks for a card or code first, chosen which place it has among several. */
export interface QueueState { queue: Queue | null; gives: Gives | null; asks: boolean; several: boolean; chosen: number; }

export function queueName(q: QueueSetup): string {
  return t(q.name, q.english || q.name);
}

export function queueButton(q: QueueSetup, s: QueueState, onPress: () => void): HTMLButtonElement {
  const closed = !!s.gives && !s.gives.open;
  const b = button('queue' + (closed ? ' queue-closed' : '') + (s.chosen > 0 ? ' queue-chosen' : ''), '', onPress);
  const name = make('span', 'queue-text', undefined, [make('span', 'queue-name', queueName(q))]);
  if (q.dept && !closed && language() === 'zh') {
    name.appendChild(make('span', 'queue-dept', q.dept));
  }
  b.appendChild(make('span', 'queue-top', undefined, [make('span', 'queue-letter', q.id), name]));
  b.appendChild(closed ? make('span', 'queue-foot num', undefined, [make('span', 'queue-why', shortReason(s.gives as Gives))]) : foot(s));
  if (s.several) {
    b.setAttribute('aria-pressed', s.chosen > 0 ? 'true' : 'false');
  }
  const go = s.several && !closed ? (s.chosen > 0 ? t('第 ' + s.chosen + ' 项', 'No. ' + s.chosen) : t('选择', 'Add')) : closed ? t('查看', 'Details') : t('取号', 'Take');
  b.appendChild(make('span', 'queue-go', go));
  return b;
}

function foot(s: QueueState): HTMLElement {
  const box = make('span', 'queue-foot num');
  const q = s.queue;
  if (q && q.waiting > 0) {
    const people = make('span', '', t('等候', 'Waiting'));
    people.appendChild(make('b', '', '' + q.waiting));
    people.appendChild(document.createTextNode(t('人', '')));
    box.appendChild(people);
    const wait = waitSay(q.wait);
    box.appendChild(make('span', '', wait ? t('约 ', 'about ') + wait : ''));
  } else {
    box.appendChild(make('span', 'queue-free', q ? t('无人等候', 'No waiting') : ''));
    box.appendChild(make('span', '', s.asks ? t('需带证件', 'ID needed') : ''));
  }
  if (s.gives && s.gives.late) {
    box.appendChild(make('span', 'queue-why', t('可能等到下班', 'May close first')));
  }
  return box;
}

/** Gives the lines of a name that needs more than one about the same length, so that none holds a lonely character. */
export function balance(name: HTMLElement): void {
  const height = parseFloat(window.getComputedStyle(name).lineHeight || '');
  const lines = Math.round(name.offsetHeight / height);
  const words = name.textContent || '';
  if (lines > 1 && !/[a-z]/.test(words)) {
    name.style.maxWidth = Math.ceil(words.length / lines) + .1 + 'em';
  }
}
