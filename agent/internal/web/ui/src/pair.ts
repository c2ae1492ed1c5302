// A machine of the hall that may do nothing yet: it shows a short code until somebody lets it in.

import { byId, empty, make, setup, text } from './lib/dom';
import { request, sentence } from './lib/http';

interface Setup { as: string; }
interface Answer { code?: string; seconds?: number; page?: string; }

const page = setup<Setup>();
const lookMS = 2000;
let shown = '';

function drawCode(code: string): void {
  if (code === shown) {
    return;
  }
  shown = code;
  const box = byId('pair-code');
  empty(box);
  if (code) {
    box.appendChild(make('span', '', code.slice(0, 4)));
    box.appendChild(make('span', '', code.slice(4)));
  }
}

function drawLeft(seconds: number): void {
  text(byId('pair-left'), seconds > 60 ? '还有 ' + Math.ceil(seconds / 60) + ' 分钟有效，过期自动换新' : seconds > 0 ? '马上换新的配对码' : '');
}

function ask(): void {
  request<Answer>({ method: 'POST', path: '/pair', as: page.as, body: { page: page.as } }, function (problem, answer): void {
    if (answer && answer.page) {
      open(answer.page);
      return;
    }
    drawCode(answer && answer.code || ''); // one that may be over by now is not shown
    drawLeft(answer && answer.seconds || 0);
    if (problem || answer) {
      text(byId('gate-say'), problem ? sentence(problem) : '');
    }
    window.setTimeout(ask, problem ? 2 * lookMS : lookMS);
  });
}

/** Opens the page this machine is for: kiosk-2 is at /kiosk/2. */
function open(as: string): void {
  if (as === page.as) {
    window.location.reload();
    return;
  }
  window.location.replace('/' + as.replace('-', '/'));
}

window.setTimeout(ask, byId('gate-say').textContent ? 2 * lookMS : 0); // why the token in the address is no good stays for a moment
