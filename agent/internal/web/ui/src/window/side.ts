// Beside the work: how many wait in which queue, and the tickets that are held or were passed.

import { clockOf, now } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { Ticket } from '../lib/hall';
import { command } from '../lib/http';
import { about, beside, desk, held, page, queueName, served, ticket, windowIs } from './desk';
import { complain, say } from './say';
import { begin, end, release, send } from './send';
import { shade } from './times';

let drawn = '';

/** From so many queues on there are two columns of them. */
const manyQueues = 8;

export function drawSide(): void {
  const hall = desk.hall;
  const c = beside();
  if (!hall || !c) {
    return;
  }
  const key = JSON.stringify([hall.queues, c.duties, c.held, c.passed, c.about, served(), ticket() ? 1 : 0, desk.busy]);
  if (key !== drawn) { // a button must not be replaced under the mouse
    drawn = key;
    text(byId('waiting'), c.waiting + ' 人');
    drawQueues();
    drawTickets();
  }
  drawLongest();
}

function drawQueues(): void {
  const mine = served();
  const many = mine.length > manyQueues;
  const list = byId('queues');
  empty(list);
  mark(list, 'lines-two', many);
  show(byId('duty'), page.directs);
  const queues = desk.hall ? desk.hall.queues : [];
  for (let i = 0; i < queues.length; i++) {
    const q = queues[i];
    if (mine.indexOf(q.id) < 0) {
      continue;
    }
    const until = (beside() || { duties: {} as { [q: string]: string } }).duties[q.id];
    const name = make('span', 'line-name', q.name);
    name.title = q.name;
    const cells = [make('span', 'line-id', q.id), name];
    if (until) {
      cells.push(make('span', 'tag tag-warm', (many ? '至 ' : '临时 至 ') + clockOf(until)));
    }
    const longest = make('span', 'line-long num');
    longest.setAttribute('data-queue', q.id);
    cells.push(longest, make('b', 'num', '' + q.waiting));
    list.appendChild(make('li', '', undefined, cells));
  }
}

/** How long the first of each queue has waited by now. */
function drawLongest(): void {
  const c = beside();
  const all = byId('queues').getElementsByClassName('line-long');
  for (let i = 0; c && i < all.length; i++) {
    const id = all[i].getAttribute('data-queue') || '';
    const s = c.longest[id] > 0 ? c.longest[id] + (Date.now() - desk.told) / 1000 : 0;
    const limits = page.limits[id];
    const kind = limits ? shade(s, limits.wait) : '';
    text(all[i] as HTMLElement, s < 60 ? '' : (served().length > manyQueues ? '' : '最久 ') + Math.floor(s / 60) + ' 分');
    all[i].className = 'line-long num' + (kind ? ' time-' + kind : '');
  }
}

function drawTickets(): void {
  const c = beside();
  tickets('held', held(), '没有挂起的号', function (t: Ticket): HTMLElement[] {
    return [small('恢复', t, !ticket(), function (): void { send('hold', 'resume', { ticket: t.id }); })];
  });
  tickets('passed', c ? c.passed : [], '没有过号', function (t: Ticket): HTMLElement[] {
    return [
      small('重呼', t, !ticket() && !windowIs('closed'), function (): void { send('recall-passed', 'call', { ticket: t.id }); }),
      small('重排', t, true, function (): void { release(function (): void { requeue(t); }); })
    ];
  });
}

function small(label: string, t: Ticket, may: boolean, press: () => void): HTMLButtonElement {
  const b = button('btn', label, press, label + ' ' + t.number);
  b.disabled = desk.busy !== '' || !may;
  return b;
}

/** Where a ticket is, when it comes back, and what was noted. */
function line(t: Ticket): string {
  const a = about(t);
  const parts: string[] = [];
  if (t.window && t.window !== page.window) {
    parts.push(t.window + ' 号窗口');
  }
  if (a && a.until) {
    parts.push(clockOf(a.until) + ' 回队');
  }
  if (a && a.note) {
    parts.push(a.note);
  }
  return parts.join(' · ');
}

function tickets(id: string, list: Ticket[], none: string, actions: (t: Ticket) => HTMLElement[]): void {
  text(byId(id + '-count'), list.length > 0 ? '' + list.length : '');
  const box = byId(id);
  empty(box);
  for (let i = 0; i < list.length; i++) {
    const t = list[i];
    const where = make('span', 'line-where', line(t));
    where.title = line(t);
    box.appendChild(make('li', '', undefined, [make('span', 'line-number num', t.number), where].concat(actions(t))));
  }
  if (list.length === 0) {
    box.appendChild(make('li', 'none', none));
  }
}

function requeue(t: Ticket): void {
  if (desk.busy) {
    return;
  }
  const wait = begin('requeue');
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + t.id + '/requeue', as: page.as }, 8000,
    function (problem): void {
      if (problem) {
        complain(problem);
      } else {
        say('good', t.number + ' 已重新排队');
      }
      end(wait);
    });
}

/** What the citizen still has to do elsewhere, and what the window before left to know. */
export function drawAbout(t: Ticket | null): void {
  const a = t ? about(t) : null;
  const next = byId('now-then');
  const note = byId('now-note');
  const names: string[] = [];
  for (let i = 0; a && i < a.then.length; i++) {
    names.push(a.then[i] + ' ' + queueName(a.then[i]));
  }
  text(next, names.length > 0 ? '下一步：' + names.join(' → ') : '');
  text(note, a && a.note ? '留言：' + a.note : '');
  show(next, names.length > 0);
  show(note, !!(a && a.note));
}

/** Reports once that a duty is over: the hall tells nobody, because nothing happened. */
export function dutiesOver(): boolean {
  const c = beside();
  for (const q in c ? c.duties : {}) {
    if (c && Date.parse(c.duties[q].replace(/\.\d+/, '')) <= now()) {
      delete c.duties[q];
      return true;
    }
  }
  return false;
}
