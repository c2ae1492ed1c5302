// The line under the buttons: what a press came to, and what can be done about it.

import { button, byId, empty, make, phrases } from '../lib/dom';
import { Problem, sentence } from '../lib/http';

export function say(kind: '' | 'good' | 'warn' | 'bad', words: string): void {
  byId('say').className = 'say' + (kind ? ' say-' + kind : '');
  phrases(byId('say-text'), words);
  empty(byId('say-actions'));
}

export function act(label: string, press: () => void): void {
  byId('say-actions').appendChild(button('btn', label, press));
}

/** Says something more on the line, which the clerk should look at. */
export function add(words: string): void {
  byId('say').className = 'say say-warn';
  byId('say-text').appendChild(make('span', 'phrase', words));
}

/** Tells that the hall refused, or could not be reached. */
export function complain(problem: Problem | null): void {
  if (problem && problem.status === 401) {
    expired(problem);
    return;
  }
  if (problem && problem.status === 423) { // the lock is shown
    say('', '');
    return;
  }
  if (problem && problem.status === 0) { // nobody tries any longer
    say('bad', '没有收到大厅的答复，不知道办成没有。连上以后请先看清状态；同一操作再按一次不会重复。');
    return;
  }
  say('bad', problem ? sentence(problem) : '没有办成，请再试一次。');
}

/** Tells that nobody is signed in here any more, and who has taken the window over, if somebody has. */
export function expired(problem: Problem): void {
  say('bad', sentence(problem));
  act('重新登录', function (): void { window.location.reload(); });
}
