// Calls for the guide, as staff see them.

import { clockOf } from './clock';
import { button, empty, make, show } from './dom';
import { HelpCall } from './hall';
import { command } from './http';

let drawn = '';

/** Draws the calls into a box, which is hidden while there are none; each nobody has answered has a button to answer it. */
export function drawHelp(box: HTMLElement, as: string, calls: HelpCall[]): void {
  const now = JSON.stringify(calls);
  if (now === drawn) {
    return;
  }
  drawn = now;
  empty(box);
  show(box, calls.length > 0);
  for (let i = 0; i < calls.length; i++) {
    const c = calls[i];
    const line = make('p', 'help-call' + (c.coming ? ' help-coming' : ''), undefined, [
      make('b', '', c.name), make('span', 'num', c.coming ? '已有人前往' + (c.by ? '（' + c.by + '）' : '') : clockOf(c.at) + ' 有人需要帮助')
    ]);
    if (!c.coming) {
      const b = button('btn btn-main', '我去', function (): void {
        b.disabled = true;
        command<unknown>({ method: 'POST', path: '/api/v1/help/' + c.place + '/come', as: as }, 8000, function (): void {
          b.disabled = false; // the stream shows what came of it
        });
      }, '我去' + c.name);
      line.appendChild(b);
    }
    box.appendChild(line);
  }
}
