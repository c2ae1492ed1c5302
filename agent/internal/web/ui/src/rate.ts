// 好差评: five grades, once for a finished ticket. A tablet stands at a window and asks about the ticket that was finished there
// last; a phone comes with the token of its slip. Nobody answered is nobody answered, never a grade.

import { follow } from './lib/clock';
import { byId, button, empty, make, mark, setup, show, text, touchOnly } from './lib/dom';
import { gate } from './lib/gate';
import { Hall, Ticket, find } from './lib/hall';
import { command, request, sentence } from './lib/http';
import { listen } from './lib/live';

interface Setup { as: string; version: string; window?: string; token?: string; ticket?: string; }

const page = setup<Setup>();
const grades = [
  { id: 'very_satisfied', name: '非常满意', mouth: 'M13 27c5 9 17 9 22 0z' },
  { id: 'satisfied', name: '满意', mouth: 'M14 29c5 6 15 6 20 0' },
  { id: 'fair', name: '基本满意', mouth: 'M15 31h18' },
  { id: 'dissatisfied', name: '不满意', mouth: 'M14 34c5-6 15-6 20 0' },
  { id: 'very_dissatisfied', name: '非常不满意', mouth: 'M13 36c5-9 17-9 22 0M13 16l6 3M35 16l-6 3' }
];
const faults = ['服务态度不好', '办理太慢', '没有一次说清楚', '让我多跑了一趟', '等候太久', '其他'];
const views = ['idle', 'ask', 'more', 'thanks'];
/** Seconds a question stays unanswered. */
const patience = 30;

let asking: Ticket | null = null;
let grade = '';
let chosen: { [reason: string]: boolean } = {};
let answered: { [ticket: string]: boolean } = {};
let left = 0;
let before = '';

function go(view: string): void {
  for (let i = 0; i < views.length; i++) {
    show(byId(views[i]), views[i] === view);
  }
}

function ask(t: Ticket): void {
  asking = t;
  grade = '';
  chosen = {};
  left = page.token ? 0 : patience;
  text(byId('ask-number'), t.number + ' 号');
  showLeft();
  go('ask');
}

/** Looks whether there is a ticket to ask about. */
function look(): void {
  if (page.token) {
    request<{ ticket: Ticket; rated: boolean }>({ method: 'GET', path: '/api/v1/tickets/' + page.ticket, as: '', token: page.token },
      function (problem, answer): void {
        if (answer && answer.ticket.state === 'done' && !answer.rated) {
          ask(answer.ticket);
        } else {
          text(byId('idle-text'), answer ? (answer.rated ? '已经评价过了，谢谢' : '办完以后再来评价') : problem ? sentence(problem) : '');
          go('idle');
        }
      });
    return;
  }
  request<{ ticket: Ticket | null }>({ method: 'GET', path: '/api/v1/windows/' + page.window + '/rating', as: page.as },
    function (_, answer): void {
      const t = answer && answer.ticket;
      if (t && !answered[t.id] && (!asking || asking.id !== t.id)) {
        ask(t);
      } else if (!t && asking && byId('thanks').hidden) { // rated on the phone, or the next one has come
        asking = null;
        go('idle');
      }
    });
}

function choose(id: string, index: number): void {
  grade = id;
  if (index < 3) {
    send();
    return;
  }
  left = page.token ? 0 : patience * 3;
  const box = byId('reasons');
  empty(box);
  for (let i = 0; i < faults.length; i++) {
    const b = button('btn', faults[i], function (): void {
      chosen[faults[i]] = !chosen[faults[i]];
      mark(b, 'btn-on', chosen[faults[i]]);
      b.setAttribute('aria-pressed', chosen[faults[i]] ? 'true' : 'false');
    });
    b.setAttribute('aria-pressed', 'false');
    box.appendChild(b);
  }
  byId<HTMLTextAreaElement>('words').value = '';
  go('more');
}

function send(): void {
  const t = asking;
  if (!t) {
    return;
  }
  const reasons: string[] = [];
  for (let i = 0; i < faults.length; i++) {
    if (chosen[faults[i]]) {
      reasons.push(faults[i]);
    }
  }
  const words = byId<HTMLTextAreaElement>('words').value;
  answered[t.id] = true;
  left = 0;
  text(byId('thanks-text'), '正在提交…');
  go('thanks');
  command<{ ticket: Ticket }>({
    method: 'POST', path: '/api/v1/ratings', as: page.as, token: page.token, body: { ticket: t.id, grade: grade, reasons: reasons, text: words }
  }, 15000, function (problem): void {
    text(byId('thanks-text'), problem ? sentence(problem) : '感谢您的评价');
    asking = null;
    if (!page.token) {
      window.setTimeout(function (): void {
        if (!asking) {
          go('idle');
        }
      }, 5000);
    }
  });
}

function tick(): void {
  if (left > 0) {
    left--;
    if (left === 0 && asking) { // nobody answered
      answered[asking.id] = true;
      asking = null;
      go('idle');
    }
  }
  showLeft();
}

function showLeft(): void {
  text(byId('count'), left > 0 ? left + ' 秒后结束' : '');
}

function main(): void {
  const box = byId('grades');
  for (let i = 0; i < grades.length; i++) {
    const g = grades[i];
    const b = button('grade grade-' + i, '', function (): void { choose(g.id, i); });
    b.appendChild(face(g.mouth));
    b.appendChild(make('span', '', g.name));
    box.appendChild(b);
  }
  byId('more-back').addEventListener('click', function (): void {
    left = page.token ? 0 : patience;
    showLeft();
    go('ask');
  });
  byId('more-send').addEventListener('click', send);
  window.setInterval(tick, 1000);
  if (page.token) {
    look();
    return;
  }
  touchOnly();
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!asking) {
      window.location.reload();
    }
  });
  listen({
    as: page.as,
    onHall: function (hall: Hall): void {
      const now = JSON.stringify(find(hall.windows, function (w) { return w.id === page.window; }));
      if (now !== before) { // something happened at this window
        before = now;
        look();
      }
    }, onLive: function (): void { /* nothing to ask is nothing to show */ },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

function face(mouth: string): SVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg') as SVGElement;
  svg.setAttribute('viewBox', '0 0 48 48');
  svg.setAttribute('aria-hidden', 'true');
  const circle = document.createElementNS(space, 'circle');
  circle.setAttribute('cx', '24');
  circle.setAttribute('cy', '24');
  circle.setAttribute('r', '21');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', 'M16 20v.5M32 20v.5' + mouth);
  svg.appendChild(circle);
  svg.appendChild(path);
  return svg;
}

if (!gate(page.as)) {
  main();
}
