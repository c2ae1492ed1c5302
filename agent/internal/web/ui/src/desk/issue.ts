// Numbers for citizens: by hand, for whoever tapped a card or showed a code, for several things at once, and beside the rules with a
// reason.

import { clockOf } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { Booking, Gives, Ticket, classTag, find, waitText } from '../lib/hall';
import { Problem, Request, command, keepKeys, request, sentence } from '../lib/http';
import { askReason } from '../lib/sheet';
import { Named, classes, desk, page, queueName, say } from './state';

const maxSteps = 8; // things after the first with one number
const identityMS = 110000; // the hall forgets after two minutes who was recognised
const againMS = 60000; // a citizen whose number did not come waits no longer without a word

/** Somebody whose card or code was read. */
export interface Person { identity: string; bookings: Booking[]; waiting: string[]; words: string; }

let chosen = 'normal';
let because = ''; // why it is the class
let several = false;
let steps: string[] = [];
let person: Person | null = null;
let personGoes: number | undefined;
let visit = 0; // counts the people who came

const keys = keepKeys(againMS);

export const priorityReasons = ['现役军人', '退役军人', '烈士遗属', '消防救援人员', '人民警察英烈家属', '其他法定优先'];
const overrideReasons = ['窗口同意加号', '特殊困难群众', '外地群众专程前来', '自助机没有打出小票'];

/** The refusals that the guide may set aside. */
const mild = ['queue_closed', 'quota_used', 'slot_quota_used', 'closing_soon', 'booking_early'];

interface Wish { queue?: string; booking?: string; then?: string[]; override?: string; }

function gives(queue: string): Gives | null {
  return (desk.hall && desk.hall.gives && desk.hall.gives[queue]) || null;
}

/** Why a queue gives no numbers now, or "". */
function closed(g: Gives | null): string {
  if (!g || g.open) {
    return '';
  }
  switch (g.reason) {
    case 'quota_used': return '今天的号已取完';
    case 'slot_quota_used': return '这个时段的号已取完';
    case 'closing_soon': return '下班前可能办不完';
  }
  return g.opens ? clockOf(g.opens) + ' 开始取号' : '今天不再取号';
}

export function drawClasses(): void {
  const box = byId('classes');
  empty(box);
  for (let i = 0; i < classes.length; i++) {
    const c = classes[i];
    const on = c.id === chosen;
    const b = button('btn' + (on ? ' btn-on' : ''), c.name, function (): void { choose(c); });
    b.setAttribute('role', 'radio');
    b.setAttribute('aria-checked', on ? 'true' : 'false');
    box.appendChild(b);
  }
  const many = button('btn btn-many' + (several ? ' btn-on' : ''), '一号办多项', function (): void {
    several = !several;
    steps = [];
    drawClasses();
    drawQueues();
  });
  many.setAttribute('aria-pressed', several ? 'true' : 'false');
  box.appendChild(many);
  text(byId('because'), because ? '依法优先理由：' + because + '（会记入日志）' : '');
  show(byId('because'), because !== '');
}

/** Who goes before others by law needs a reason, because somebody has to answer for it. */
function choose(c: Named): void {
  const mine = visit;
  const take = function (reason: string): void {
    if (mine !== visit) {
      say('bad', '换了一位群众，请重新选类别。');
      return;
    }
    chosen = c.id;
    because = reason;
    drawClasses();
  };
  if (c.id === 'priority') {
    askReason('依法优先，理由是', priorityReasons, take, '取消');
  } else {
    take('');
  }
}

export function drawQueues(): void {
  const box = byId('queues');
  empty(box);
  for (let i = 0; i < page.queues.length; i++) {
    box.appendChild(queueButton(page.queues[i]));
  }
  const go = byId<HTMLButtonElement>('take-all');
  show(go, several);
  go.disabled = desk.busy || !desk.live || steps.length === 0;
  text(go, steps.length > 0 ? '取号：' + steps.map(queueName).join(' → ') : '请按办理顺序点业务');
}

function queueButton(q: Named): HTMLButtonElement {
  const state = desk.hall ? find(desk.hall.queues, function (x) { return x.id === q.id; }) : null;
  const why = closed(gives(q.id));
  const step = several ? steps.indexOf(q.id) + 1 : 0;
  const b = button('queue' + (why ? ' queue-closed' : '') + (step ? ' queue-step' : ''), '', function (): void {
    if (several) {
      toggle(q.id);
    } else if (why) {
      override({ queue: q.id }, q.name + '：' + why);
    } else {
      take({ queue: q.id });
    }
  });
  b.appendChild(make('b', '', step ? '' + step : q.id));
  const facts = why || (state ? '等候 ' + state.waiting + ' 人' + (state.wait ? '，' + waitText(state.wait) : '') : '');
  b.appendChild(make('span', '', q.name, [make('small', 'num', facts)]));
  b.disabled = desk.busy || !desk.live;
  return b;
}

function toggle(queue: string): void {
  const at = steps.indexOf(queue);
  if (at >= 0) {
    steps.splice(at, 1);
  } else if (steps.length <= maxSteps) {
    steps.push(queue);
  }
  drawQueues();
}

export function takeSteps(): void {
  if (steps.length > 0) {
    take({ queue: steps[0], then: steps.slice(1) });
  }
}

/** A number beside the rules: the reason is written down. */
function override(wish: Wish, title: string): void {
  const mine = visit;
  askReason(title + '。仍要取号，原因是', overrideReasons, function (reason: string): void {
    if (mine !== visit) {
      say('bad', '换了一位群众，刚才没有取号。请再点业务。');
      return;
    }
    take({ queue: wish.queue, booking: wish.booking, then: wish.then, override: reason });
  }, '不取了');
}

function take(wish: Wish): void {
  if (desk.busy || !desk.live) {
    return;
  }
  const mine = visit;
  desk.busy = true;
  say('', '正在取号…');
  drawQueues();
  const body: { [member: string]: unknown } = { queue: wish.queue || '', 'class': chosen, channel: 'desk' };
  if (chosen === 'priority') {
    body.reason = because;
  }
  if (person && person.identity) {
    body.identity = person.identity;
  }
  if (wish.booking) {
    body.booking = wish.booking;
  }
  if (wish.then && wish.then.length > 0) {
    body.then = wish.then;
  }
  if (wish.override) {
    body.override = wish.override;
  }
  const order: Request = { method: 'POST', path: '/api/v1/tickets', as: page.as, body: body };
  order.key = keys.of(order);
  command<{ ticket: Ticket }>(order, 12000, function (problem, answer): void {
    desk.busy = false;
    keys.answered(order, problem);
    if (problem || !answer) {
      refused(problem, wish, mine === visit);
      return;
    }
    if (mine === visit) {
      setPerson(null);
      forgetChoice();
    } else { // somebody else's card was read meanwhile
      drawQueues();
    }
    const t = answer.ticket;
    const tag = classTag(t['class']);
    say('good', queueName(t.queue) + (tag ? '（' + tag + '）' : '') + '，前面 ' + t.ahead + ' 人' + (t.wait ? '，' + waitText(t.wait) : '') +
      (t.print === 'none' ? '。请把号码写给群众' : '。小票正在打印'), t.number);
  });
}

/** The next citizen is not this one. Gives whether there was something to forget. */
function forgetChoice(): boolean {
  const any = chosen !== 'normal' || several;
  visit++;
  keys.forget();
  chosen = 'normal';
  because = '';
  several = false;
  steps = [];
  drawClasses();
  drawQueues();
  return any;
}

/** Checks in for an appointment that was chosen from the list: whoever stood here before is not who has it. */
export function checkIn(booking: string): void {
  setPerson(null);
  forgetChoice();
  take({ booking: booking });
}

/** Tells why there is no number; here is whether the citizen still is. */
function refused(problem: Problem | null, wish: Wish, here: boolean): void {
  drawQueues();
  say('bad', problem ? sentence(problem) : '没有取到号，请再试一次。');
  if (!problem || !here) {
    return;
  }
  const open = (problem as unknown as { ticket?: string }).ticket;
  if (open && ['already_waiting', 'too_many_open', 'booking_used'].indexOf(problem.code) >= 0) {
    byTicket(open, '这位群众已经有号，可以补打小票');
  } else if (problem.code === 'identity_unknown') {
    setPerson(null);
  } else if (mild.indexOf(problem.code) >= 0 && !wish.override) {
    override(wish, problem.title);
  }
}

/** Shows a ticket in the find box. */
export function byTicket(id: string, words: string): void {
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (_, answer): void {
    if (answer) {
      desk.found(answer.ticket, words);
    }
  });
}

/** The next number is for somebody whose card or code was read, until it is taken or the time is over. */
export function setPerson(p: Person | null): void {
  person = p;
  window.clearTimeout(personGoes);
  const box = byId('who');
  empty(box);
  show(box, !!p);
  mark(box, 'who-note', !!p && !p.identity);
  if (!p) {
    return;
  }
  const forgot = forgetChoice();
  box.appendChild(make('span', 'who-words', p.words + (forgot ? '（上一位的选择已清除）' : '')));
  for (let i = 0; i < p.bookings.length; i++) {
    const b = p.bookings[i];
    box.appendChild(button('btn btn-main', '预约签到 ' + queueName(b.queue) + ' ' + clockOf(b.start) + '–' + clockOf(b.end),
      function (): void { take({ booking: b.booking }); }));
  }
  box.appendChild(button('btn', '不是这位', function (): void { setPerson(null); }));
  for (let i = 0; i < p.waiting.length && i < 1; i++) {
    byTicket(p.waiting[i], '这位群众已经有' + (p.waiting.length > 1 ? ' ' + p.waiting.length + ' 个号' : '号') + '，可以补打小票');
  }
  personGoes = window.setTimeout(function (): void { setPerson(null); }, identityMS);
}
