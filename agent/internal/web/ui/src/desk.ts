// The guide's desk: takes numbers for citizens, finds a ticket, puts passed ones back in line.

import { clockOf, everySecond, follow, now, timeText } from './lib/clock';
import { byId, button, empty, make, mark, setup, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { drawHelp } from './lib/help';
import { Hall, Input, Ticket, classTag, find, stateName, waitText } from './lib/hall';
import { command, request, sentence } from './lib/http';
import { listen } from './lib/live';

interface Named { id: string; name: string; dept: string; }
interface Setup { as: string; version: string; person: string; queues: Named[]; }

const page = setup<Setup>();
const classes = [
  { id: 'normal', name: '普通' }, { id: 'elder', name: '老幼残孕' }, { id: 'priority', name: '依法优先' }, { id: 'appointment', name: '预约' }
];

let hall: Hall | null = null;
let chosen = 'normal';
let busy = false;
let shown: Ticket | null = null; // in the find box

function say(kind: string, words: string, number: string): void {
  byId('say').className = 'say' + (kind ? ' say-' + kind : '');
  text(byId('say-text'), words);
  text(byId('say-number'), number);
}

function drawClasses(): void {
  const box = byId('classes');
  empty(box);
  for (let i = 0; i < classes.length; i++) {
    const on = classes[i].id === chosen;
    const b = button('btn' + (on ? ' btn-on' : ''), classes[i].name, function (): void {
      chosen = classes[i].id;
      drawClasses();
    });
    b.setAttribute('role', 'radio');
    b.setAttribute('aria-checked', on ? 'true' : 'false');
    box.appendChild(b);
  }
}

function drawQueues(): void {
  const box = byId('queues');
  empty(box);
  for (let i = 0; i < page.queues.length; i++) {
    const q = page.queues[i];
    const state = hall ? find(hall.queues, function (x) { return x.id === q.id; }) : null;
    const b = button('queue', '', function (): void { take(q); });
    b.appendChild(make('b', '', q.id));
    b.appendChild(make('span', '', q.name, [make('small', 'num', state ? '等候 ' + state.waiting + ' 人 ' + waitText(state.wait) : '')]));
    b.disabled = busy;
    box.appendChild(b);
  }
}

function take(q: Named): void {
  if (busy) {
    return;
  }
  busy = true;
  say('', '正在取号…', '');
  drawQueues();
  const as = chosen;
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets', as: page.as, body: { queue: q.id, class: as, channel: 'desk' } }, 12000,
    function (problem, answer): void {
      busy = false;
      chosen = 'normal'; // the next citizen is not this one
      drawClasses();
      drawQueues();
      if (problem || !answer) {
        say('bad', problem ? sentence(problem) : '没有取到号，请再试一次。', '');
        return;
      }
      const t = answer.ticket;
      say('good', q.name + '，前面 ' + t.ahead + ' 人' + (t.wait ? '，' + waitText(t.wait) : '') +
        (t.print === 'none' ? '。请把号码写给群众' : '。小票正在打印'), t.number);
    });
}

function drawFound(words: string): void {
  const box = byId('found');
  empty(box);
  const t = shown;
  if (!t) {
    if (words) {
      box.appendChild(make('p', 'ticket', words));
    }
    return;
  }
  const q = find(page.queues, function (x) { return x.id === t.queue; });
  const top = make('div', 'ticket-top', undefined, [make('b', 'num', t.number), make('span', '', stateName(t.state) + (t.window ? ' · ' + t.window + ' 号窗口' : ''))]);
  const tag = classTag(t.class);
  const facts = make('p', '', (q ? q.name : '') + (tag ? ' · ' + tag : '') + ' · ' + clockOf(t.taken_at) + ' 取号' +
    (t.state === 'waiting' ? ' · 前面 ' + t.ahead + ' 人' : ''));
  const acts = make('div', 'acts');
  if (t.state === 'passed') {
    acts.appendChild(button('btn btn-main', '重新排队', function (): void { mend(t, 'requeue', '已重新排队'); }));
  }
  if (t.state === 'waiting' || t.state === 'called' || t.state === 'serving' || t.state === 'held' || t.state === 'passed') {
    acts.appendChild(button('btn', '补打小票', function (): void { mend(t, 'reprint', '正在补打'); }));
  }
  if (t.state === 'waiting' || t.state === 'passed') {
    acts.appendChild(button('btn btn-bad', '退号', function (): void { sure(acts, t); }));
  }
  box.appendChild(make('div', 'ticket', undefined, [top, facts, make('p', '', words), acts]));
}

function sure(acts: HTMLElement, t: Ticket): void {
  empty(acts);
  acts.appendChild(button('btn btn-bad', '确定退号', function (): void { mend(t, 'withdraw', '已退号'); }));
  acts.appendChild(button('btn', '不退', function (): void { drawFound(''); }));
}

function mend(t: Ticket, verb: string, words: string): void {
  if (busy) {
    return;
  }
  busy = true;
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + t.id + '/' + verb, as: page.as }, 10000, function (problem, answer): void {
    busy = false;
    shown = answer ? answer.ticket : t;
    drawFound(problem ? sentence(problem) : words);
    passed();
  });
}

function search(query: string): void {
  request<{ items: Ticket[] }>({ method: 'GET', path: '/api/v1/tickets?limit=1&' + query, as: page.as }, function (problem, answer): void {
    shown = answer && answer.items.length > 0 ? answer.items[0] : null;
    drawFound(problem ? sentence(problem) : shown ? '' : '今天没有这个号');
  });
}

let drawnPassed = '';

function passed(): void {
  request<{ items: Ticket[]; total: number }>({ method: 'GET', path: '/api/v1/tickets?state=passed&limit=30', as: page.as }, function (_, answer): void {
    const key = JSON.stringify(answer);
    if (!answer || key === drawnPassed) {
      return;
    }
    drawnPassed = key;
    text(byId('passed-count'), answer.total > 0 ? '' + answer.total : '');
    const box = byId('passed');
    empty(box);
    for (let i = 0; i < answer.items.length; i++) {
      const t = answer.items[i];
      box.appendChild(make('li', '', undefined, [
        make('b', 'num', t.number), make('span', '', t.window ? t.window + ' 号窗口' : ''),
        button('btn', '重新排队', function (): void { shown = t; mend(t, 'requeue', '已重新排队'); }, '重新排队 ' + t.number)
      ]));
    }
    if (answer.items.length === 0) {
      box.appendChild(make('li', 'none', '没有过号'));
    }
  });
}

function onInput(input: Input): void {
  if (input.ticket) {
    request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + input.ticket, as: page.as }, function (_, answer): void {
      shown = answer ? answer.ticket : null;
      drawFound('');
    });
  } else if (input.detail) {
    say('bad', input.detail, '');
  }
}

let drawn = '';
let missedBefore = '';

function main(): void {
  text(byId('person'), page.person);
  drawClasses();
  drawQueues();
  say('', '先选类别，再点业务。', '');
  byId('find').addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    const number = byId<HTMLInputElement>('find-number').value.replace(/\s/g, '');
    if (number) {
      search('number=' + encodeURIComponent(number));
    }
  });
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  everySecond(function (): void { text(byId('time'), timeText(new Date(now()))); });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!busy) {
      window.location.reload();
    }
  });
  listen({
    as: page.as, onInput: onInput,
    onHall: function (next: Hall): void {
      hall = next;
      drawHelp(byId('helps'), page.as, next.help || []);
      const key = JSON.stringify(next.queues);
      if (key !== drawn) {
        drawn = key;
        drawQueues();
      }
      const missed = JSON.stringify(next.missed);
      if (missed !== missedBefore) {
        missedBefore = missed;
        passed();
      }
    },
    onLive: function (live: boolean): void {
      mark(byId('live'), 'bar-live-bad', !live);
      text(byId('live-text'), live ? '已连接' : '正在重连…');
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
