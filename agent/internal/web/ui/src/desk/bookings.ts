// Today's appointments: who may check in now, who comes later, and what became of the others. It has times and numbers, and no names.

import { clockOf, now } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { Booking, Ticket } from '../lib/hall';
import { request, sentence } from '../lib/http';
import { closeSheet, sheet } from '../lib/sheet';
import { page, queueName } from './state';
import { checkIn } from './issue';

/** An appointment of the list: from when one may check in for it, until when as one who is booked, and the number that was given. */
interface Row extends Booking { state: string; from: string; until: string; known: boolean; ticket: Ticket | null; }

interface Part { id: string; name: string; none: string; has: (r: Row) => boolean; }

const parts: Part[] = [
  { id: 'now', name: '可签到', none: '现在没有人可以签到', has: function (r): boolean { return r.state === 'booked' && at(r.from) <= now(); } },
  { id: 'later', name: '稍后', none: '稍后没有预约', has: function (r): boolean { return r.state === 'booked' && at(r.from) > now(); } },
  { id: 'over', name: '已处理', none: '还没有处理过的预约', has: function (r): boolean { return r.state !== 'booked'; } }
];
const states: { [state: string]: string } = { arrived: '已签到', missed: '失约', cancelled: '已取消' };

let part = parts[0];
let rows: Row[] = [];
let failed = '';
let drawn = '';
let open = false;

function at(stamp: string): number {
  return Date.parse(stamp.replace(/\.\d+/, ''));
}

/** What tells an appointment from others at the same time: the end of its number, as on the message that the citizen has. */
function tail(r: Row): string {
  return '预约号尾号 ' + r.booking.slice(-4);
}

function facts(r: Row): string {
  if (r.state !== 'booked') {
    return (states[r.state] || r.state) + (r.ticket ? ' ' + r.ticket.number : '');
  }
  return at(r.from) > now() ? clockOf(r.from) + ' 起可签到' : at(r.until) < now() ? '已迟到，签到后按普通号排队' : '请在 ' + clockOf(r.until) + ' 前签到';
}

/** It is asked once more, because the rows look alike. */
function ask(r: Row): void {
  sheet('预约签到 ' + queueName(r.queue) + ' ' + clockOf(r.start) + '–' + clockOf(r.end), [
    make('p', '', tail(r) + '。请和群众手机上的预约核对，再签到取号。')
  ], [button('btn btn-main', '核对无误，取号', function (): void {
    closeSheet();
    checkIn(r.booking);
  })], '取消');
}

function line(r: Row): HTMLElement {
  const when = clockOf(r.start) + '–' + clockOf(r.end);
  const el = make('li', '', undefined, [
    make('b', 'num booking-time', when), make('span', 'booking-what', queueName(r.queue), [make('small', 'num', tail(r)), make('small', 'num', facts(r))])
  ]);
  if (r.state === 'booked') {
    el.appendChild(button('btn', '签到取号', function (): void { ask(r); }, '签到取号 ' + when + ' ' + queueName(r.queue) + ' ' + tail(r)));
  }
  return el;
}

function draw(): void {
  const mine = rows.filter(part.has);
  const key = JSON.stringify([part.id, failed, mine, mine.map(facts)]);
  if (key === drawn) { // nothing moves under the hand
    return;
  }
  drawn = key;
  parts.forEach(function (p): void {
    const b = byId('bookings-' + p.id);
    text(b, p.name + ' ' + rows.filter(p.has).length);
    mark(b, 'btn-on', p === part);
    b.setAttribute('aria-checked', p === part ? 'true' : 'false');
  });
  const box = byId('bookings-list');
  empty(box);
  mine.forEach(function (r): void { box.appendChild(line(r)); });
  if (failed || mine.length === 0) {
    box.insertBefore(make('li', 'none', failed || part.none), box.firstChild);
  }
}

/** Reads the list again, if somebody looks at it. */
export function drawBookings(): void {
  if (!open) {
    return;
  }
  request<{ items: Row[]; total: number }>({ method: 'GET', path: '/api/v1/bookings', as: page.as }, function (problem, answer): void {
    rows = answer ? answer.items : rows;
    failed = problem ? sentence(problem) : '';
    draw();
  });
}

/** Shows the passed numbers or the appointments. */
function turn(bookings: boolean): void {
  open = bookings;
  show(byId('passed'), !bookings);
  show(byId('bookings'), bookings);
  ['passed', 'bookings'].forEach(function (id): void {
    const on = (id === 'bookings') === bookings;
    mark(byId('fold-' + id), 'fold-on', on);
    byId('fold-' + id).setAttribute('aria-selected', on ? 'true' : 'false');
  });
  drawBookings();
}

export function setUpBookings(): void {
  byId('fold-passed').addEventListener('click', function (): void { turn(false); });
  byId('fold-bookings').addEventListener('click', function (): void { turn(true); });
  parts.forEach(function (p): void {
    const b = button('btn', p.name, function (): void {
      part = p;
      draw();
    });
    b.id = 'bookings-' + p.id;
    b.setAttribute('role', 'radio');
    byId('bookings-parts').appendChild(b);
  });
}
