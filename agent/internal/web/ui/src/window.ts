// The clerk's console. Every verb is a button and an F-key; what may be pressed follows the state the server tells.

import { clockOf, everySecond, follow, now, timeText } from './lib/clock';
import { byId, button, empty, make, mark, phrases, setup, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Hall, HallWindow, Input, Ticket, Why, classTag, find, minutes, span, stateName, waitText } from './lib/hall';
import { Problem, command, request, sentence } from './lib/http';
import { listen } from './lib/live';
import { Named, askReason, choices, closeSheet, sheet, sheetOpen } from './lib/sheet';

interface Setup { as: string; version: string; person: string; window: string; mine: string[]; queues: Named[]; windows: Named[]; }
interface Answer { window: HallWindow; ticket: Ticket | null; why: Why | null; }
interface Verb { id: string; key: string; label: () => string; may: () => boolean; press: () => void; }

const page = setup<Setup>();
const undoMS = 3000;

let hall: Hall | null = null;
let mine: HallWindow | null = null;
let live = true;
let busy = ''; // the verb under way
let why: Why | null = null; // the ticket at the window was called
let undo = 0; // timer of the offer to undo

const rules: { [rule: string]: string } = {
  front: '转移到最前', class: '优先类别', turn: '按取号先后', designated: '指定叫号'
};

function ticket(): Ticket | null {
  return mine ? mine.ticket : null;
}

function ticketIs(state: string): boolean {
  const t = ticket();
  return !!t && t.state === state;
}

function windowIs(state: string): boolean {
  return !!mine && mine.state === state;
}

function held(): Ticket[] {
  return hall && hall.console ? hall.console.held : [];
}

const verbs: Verb[] = [
  {
    id: 'next', key: 'F2',
    label: function () { return windowIs('closed') ? '开窗' : ticket() ? '办结并叫下一个' : windowIs('paused') ? '恢复并叫下一个' : '叫下一个'; },
    may: function () { return !!mine; },
    press: function () { if (windowIs('closed')) { send('next', 'open'); } else { send('next', 'call-next'); } }
  },
  { id: 'recall', key: 'F3', label: function () { return '重呼'; }, may: function () { return ticketIs('called'); }, press: function () { send('recall', 'recall'); } },
  { id: 'start', key: 'F4', label: function () { return '开始办理'; }, may: function () { return ticketIs('called'); }, press: function () { send('start', 'start'); } },
  { id: 'finish', key: 'F5', label: function () { return '办结'; }, may: function () { return ticketIs('called') || ticketIs('serving'); }, press: function () { send('finish', 'finish'); } },
  { id: 'pass', key: 'F6', label: function () { return '过号'; }, may: function () { return ticketIs('called'); }, press: function () { send('pass', 'pass'); } },
  { id: 'transfer', key: 'F7', label: function () { return '转移'; }, may: function () { return !!ticket(); }, press: askTransfer },
  {
    id: 'hold', key: 'F8',
    label: function () { return !ticket() && held().length > 0 ? '恢复挂起' : '挂起'; },
    may: function () { return ticketIs('serving') || !ticket() && held().length > 0; },
    press: function () { if (ticket()) { send('hold', 'hold'); } else { send('hold', 'resume'); } }
  },
  { id: 'abandon', key: 'F9', label: function () { return '弃号'; }, may: function () { return !!ticket(); }, press: askAbandon },
  {
    id: 'pause', key: 'F10',
    label: function () { return windowIs('paused') ? '结束暂停' : '暂停'; },
    may: function () { return windowIs('paused') || windowIs('open') && !ticket(); },
    press: function () { if (windowIs('paused')) { send('pause', 'unpause'); } else { askPause(); } }
  }
];

// ---- sending ----

function send(id: string, verb: string, body?: { [key: string]: unknown }): void {
  if (busy) {
    return;
  }
  busy = id;
  offerUndo('', '');
  const before = ticket();
  const seen = hall ? hall.seq : 0;
  draw();
  command<Answer>({ method: 'POST', path: '/api/v1/windows/' + page.window + '/' + verb, as: page.as, body: body || {} }, 8000,
    function (problem: Problem | null, answer: Answer | null): void {
      busy = '';
      if (problem || !answer) {
        refused(problem, id, verb, body);
      } else {
        if (!hall || hall.seq === seen) { // else the stream has told something newer
          mine = answer.window;
          why = answer.why || why;
        }
        said(verb, answer, before);
      }
      draw();
    });
}

function refused(problem: Problem | null, id: string, verb: string, body?: { [key: string]: unknown }): void {
  if (problem && (problem.status === 401 || problem.status === 403)) {
    say('bad', problem.status === 401 ? '登录已过期，或这个窗口已由他人登录。' : sentence(problem));
    if (problem.status === 401) {
      act('重新登录', function (): void { window.location.reload(); });
    }
    return;
  }
  if (problem && problem.code === 'reason_required' && body && !body.reason) {
    askReason('请说明原因', ['群众刚回到窗口', '特殊情况照顾', '主管同意'], function (reason: string): void {
      body.reason = reason;
      send(id, verb, body);
    });
    return;
  }
  say('bad', problem ? sentence(problem) : '没有办成，请再试一次。');
}

/** Tells what a verb came to, next to the buttons, and offers to undo a slip of the finger. */
function said(verb: string, a: Answer, before: Ticket | null): void {
  const t = a.ticket;
  switch (verb) {
    case 'call-next':
      if (t) {
        say('good', '请 ' + t.number + ' 号' + (before ? '；' + before.number + ' 已办结' : ''));
      } else {
        say('warn', (before ? before.number + ' 已办结。' : '') + '现在没有人等候。');
      }
      return;
    case 'finish': done('已办结 ', t); return;
    case 'abandon': done('已弃号 ', t); return;
    case 'pass': done('已过号 ', t); return;
    case 'recall': say('good', t ? '已重呼 ' + t.number : ''); return;
    case 'start': say('good', t ? '开始办理 ' + t.number : ''); return;
    case 'hold': say('good', t ? '已挂起 ' + t.number : ''); return;
    case 'transfer': say('good', t ? '已转移 ' + t.number : ''); return;
    case 'reopen': say('good', t ? '已撤销，' + t.number + ' ' + stateName(t.state) : ''); return;
    case 'open': say('good', '已开窗'); return;
    case 'close': say('good', '已关窗'); return;
    case 'pause': say('warn', '已暂停服务'); return;
    case 'unpause': say('good', '已恢复服务'); return;
    default: say('good', t ? t.number + ' ' + stateName(t.state) : ''); return;
  }
}

function done(text: string, t: Ticket | null): void {
  say('good', text + (t ? t.number : ''));
  if (t) {
    offerUndo(t.id, '撤销 Ctrl+Z');
  }
}

function offerUndo(id: string, label: string): void {
  window.clearTimeout(undo);
  undo = 0;
  if (!id) {
    empty(byId('say-actions'));
    return;
  }
  act(label, function (): void { send('undo', 'reopen', { ticket: id, reason: '误操作撤销' }); });
  undo = window.setTimeout(function (): void { offerUndo('', ''); }, undoMS);
}

function say(kind: string, words: string): void {
  byId('say').className = 'say' + (kind ? ' say-' + kind : '');
  phrases(byId('say-text'), words);
  empty(byId('say-actions'));
}

function act(label: string, press: () => void): void {
  byId('say-actions').appendChild(button('btn', label, press));
}

// ---- questions ----

function askPause(): void {
  askReason('暂停服务，原因是', ['暂时离开', '就餐', '会议', '设备故障'], function (reason: string): void {
    send('pause', 'pause', { reason: reason });
  });
}

function askAbandon(): void {
  const t = ticket();
  if (!t) {
    return;
  }
  sheet('弃号 ' + t.number + '？', [make('p', '', '弃号后这个号不再叫。群众没有来请用“过号”，他回来还能办。')], [
    button('btn btn-bad', '确定弃号', function (): void {
      closeSheet();
      send('abandon', 'abandon', { ticket: t.id, reason: '窗口弃号' });
    })
  ]);
}

function askTransfer(): void {
  const t = ticket();
  if (!t) {
    return;
  }
  const to: { queue?: string; window?: string; position: string } = { position: 'arrival' };
  const go = button('btn btn-main', '转移', function (): void {
    closeSheet();
    send('transfer', 'transfer', { ticket: t.id, to: to });
  });
  go.disabled = true;
  const others: Named[] = [];
  for (let i = 0; i < page.windows.length; i++) {
    if (page.windows[i].id !== page.window) {
      others.push(page.windows[i]);
    }
  }
  const queues: Named[] = [];
  for (let i = 0; i < page.queues.length; i++) {
    queues.push({ id: page.queues[i].id, name: page.queues[i].id + ' ' + page.queues[i].name });
  }
  const body = [
    make('h3', '', '转到业务'),
    choices('转到业务', queues, '', function (id: string): void { to.queue = id; go.disabled = false; })
  ];
  if (others.length > 0) {
    body.push(make('h3', '', '指定窗口（可不选）'),
      choices('指定窗口', others, '', function (id: string): void { to.window = id; go.disabled = false; }));
  }
  body.push(make('h3', '', '排在'), choices('排在', [
    { id: 'front', name: '最前' }, { id: 'arrival', name: '按取号时间' }, { id: 'end', name: '最后' }
  ], 'arrival', function (id: string): void { to.position = id; }));
  body.push(make('p', 'sheet-hint', '先选业务或窗口，再按“转移”。'));
  sheet('转移 ' + t.number, body, [go]);
}

// ---- drawing ----

const buttons: { [id: string]: { box: HTMLButtonElement; label: HTMLElement } } = {};

function makeVerbs(): void {
  const box = byId('verbs');
  for (let i = 0; i < verbs.length; i++) {
    const v = verbs[i];
    const b = button('btn verb' + (i === 0 ? ' verb-first btn-main' : v.id === 'abandon' ? ' btn-bad' : ''), '', v.press);
    const label = make('span', '');
    b.appendChild(label);
    b.appendChild(make('small', '', v.key));
    box.appendChild(b);
    buttons[v.id] = { box: b, label: label };
  }
}

function draw(): void {
  for (let i = 0; i < verbs.length; i++) {
    const v = verbs[i];
    text(buttons[v.id].label, v.label());
    buttons[v.id].box.disabled = busy !== '' || !v.may();
    mark(buttons[v.id].box, 'verb-busy', busy === v.id);
  }
  drawState();
  drawNow();
  drawSide();
}

function drawState(): void {
  const names: { [state: string]: string } = { open: '开窗', paused: '暂停服务', closed: '未开窗' };
  const state = mine ? mine.state : '';
  text(byId('state'), names[state] || '…');
  byId('state').className = 'bar-state bar-state-' + state;
  const b = byId<HTMLButtonElement>('open-close');
  text(b, state === 'closed' ? '开窗' : '关窗');
  b.disabled = busy !== '' || !mine || !!ticket() || held().length > 0;
}

/** What stands where the number would, and what to do, when there is no ticket. */
function idle(): { head: string; hint: string } {
  const waiting = hall && hall.console ? hall.console.waiting : 0;
  const line = waiting > 0 ? '有 ' + waiting + ' 人等候' : '现在没有人等候';
  if (!mine) {
    return { head: '', hint: '' };
  }
  if (mine.state === 'closed') {
    return { head: '按 F2 开窗', hint: line };
  }
  if (mine.state === 'paused') {
    return {
      head: hall && hall.console && hall.console.reason || '没有写明原因',
      hint: '按 F10 结束暂停；' + line + (waiting > 0 ? '，按 F2 结束暂停并叫下一个' : '')
    };
  }
  return { head: line, hint: waiting > 0 ? '按 F2 叫下一个' : '有人取号后这里马上更新' };
}

/** Why the window has this ticket, for the clerk and for whoever asks. */
function whyText(): string {
  return why ? '叫号依据：' + (rules[why.rule] || why.rule) + '，等了' + (why.waited_s < 60 ? '' : ' ') + minutes(why.waited_s) +
    (why.next ? '；再下一位 ' + why.next : '') : '';
}

function drawNow(): void {
  const t = ticket();
  const paused = windowIs('paused');
  mark(byId('now'), 'now-none', !t);
  mark(byId('now'), 'now-paused', paused && !t);
  byId('now-state').className = 'now-state now-state-' + (t ? t.state : paused ? 'paused' : 'none');
  text(byId('now-state'), t ? stateName(t.state) : windowIs('closed') ? '窗口未开' : paused ? '暂停服务' : '空闲');
  text(byId('now-number'), t ? t.number : '');
  const q = t ? find(page.queues, function (x) { return x.id === t.queue; }) : null;
  const none = idle();
  text(byId('now-queue'), t ? q ? q.name : t.queue : none.head);
  const tags = byId('now-tags');
  empty(tags);
  if (t && classTag(t.class)) {
    tags.appendChild(make('span', 'tag tag-warm', classTag(t.class)));
  }
  phrases(byId('now-why'), t ? whyText() : none.hint);
  drawTime();
}

function drawTime(): void {
  text(byId('time'), timeText(new Date(now())));
  const t = ticket();
  const since = mine && mine.since ? Date.parse(mine.since) : NaN;
  const words: { [state: string]: string } = { called: '已叫 ', serving: '已办 ', paused: '已暂停 ' };
  const state = t ? t.state : mine ? mine.state : '';
  const call = t && hall ? find(hall.calls, function (c) { return c.number === t.number; }) : null;
  text(byId('now-time'), !(t || state === 'paused') || isNaN(since) ? '' : (words[state] || '') + span(now() - since) +
    (state === 'called' && call && call.times > 1 ? '（第 ' + call.times + ' 次）' : '') + (t ? '　' + clockOf(t.taken_at) + ' 取号' : ''));
}

function line(cells: HTMLElement[]): HTMLElement {
  return make('li', '', undefined, cells);
}

let drawnSide = '';

function drawSide(): void {
  if (!hall) {
    return;
  }
  const key = JSON.stringify([hall.queues, hall.console, ticket() ? 1 : 0, busy]);
  if (key === drawnSide) { // a button must not be replaced under the mouse
    return;
  }
  drawnSide = key;
  const c = hall.console;
  text(byId('waiting'), (c ? c.waiting : 0) + ' 人');
  const queues = byId('queues');
  empty(queues);
  for (let i = 0; i < hall.queues.length; i++) {
    const q = hall.queues[i];
    if (page.mine.indexOf(q.id) >= 0) {
      queues.appendChild(line([
        make('span', 'line-id', q.id), make('span', '', q.name), make('span', 'line-wait num', waitText(q.wait)), make('b', 'num', '' + q.waiting)
      ]));
    }
  }
  tickets('held', c ? c.held : [], '没有挂起的号', function (t: Ticket): HTMLElement[] {
    return [small('恢复', t, !ticket(), function (): void { send('hold', 'resume', { ticket: t.id }); })];
  });
  tickets('passed', c ? c.passed : [], '没有过号', function (t: Ticket): HTMLElement[] {
    return [
      small('重呼', t, !ticket() && !windowIs('closed'), function (): void { send('recall-passed', 'call', { ticket: t.id }); }),
      small('重排', t, true, function (): void { requeue(t); })
    ];
  });
}

function small(label: string, t: Ticket, may: boolean, press: () => void): HTMLButtonElement {
  const b = button('btn', label, press, label + ' ' + t.number);
  b.disabled = busy !== '' || !may;
  return b;
}

function tickets(id: string, list: Ticket[], none: string, actions: (t: Ticket) => HTMLElement[]): void {
  text(byId(id + '-count'), list.length > 0 ? '' + list.length : '');
  const box = byId(id);
  empty(box);
  for (let i = 0; i < list.length; i++) {
    const t = list[i];
    const where = t.window && t.window !== page.window ? t.window + ' 号窗口' : '';
    box.appendChild(line([make('span', 'line-number num', t.number), make('span', 'line-where', where)].concat(actions(t))));
  }
  if (list.length === 0) {
    box.appendChild(make('li', 'none', none));
  }
}

function requeue(t: Ticket): void {
  if (busy) {
    return;
  }
  busy = 'requeue';
  draw();
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + t.id + '/requeue', as: page.as }, 8000,
    function (problem): void {
      busy = '';
      if (problem) {
        say('bad', sentence(problem));
      } else {
        say('good', t.number + ' 已重新排队');
      }
      draw();
    });
}

/** A slip or code shown at the window's scanner. */
function onInput(input: Input): void {
  if (input.kind === 'refused' || input.kind === 'unreadable') {
    if (!undo) { say('bad', input.detail || '这个码不能用。'); } // an offer to undo is not taken away by noise
    return;
  }
  if (!input.ticket) {
    say('good', input.kind === 'idcard' ? '已读到身份证' : '已核对身份');
    return;
  }
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + input.ticket, as: page.as }, function (problem, answer): void {
    if (problem || !answer) {
      say('bad', problem ? sentence(problem) : '没有找到这个号。');
      return;
    }
    const t = answer.ticket;
    say('warn', '扫到 ' + t.number + '（' + stateName(t.state) + '）');
    if (t.state === 'waiting' || t.state === 'passed') {
      act('叫这个号', function (): void { send('call', 'call', { ticket: t.id, reason: '群众到窗口出示小票' }); });
    }
  });
}

function onKey(e: KeyboardEvent): void {
  if ((e.key === 'Escape' || e.key === 'Esc') && sheetOpen()) {
    closeSheet();
    e.preventDefault();
    return;
  }
  if (e.ctrlKey && (e.key === 'z' || e.key === 'Z') && undo) {
    const b = byId('say-actions').getElementsByTagName('button')[0];
    if (b) {
      b.click();
    }
    e.preventDefault();
    return;
  }
  if (e.ctrlKey || e.altKey || e.shiftKey || e.metaKey) {
    return;
  }
  for (let i = 0; i < verbs.length; i++) {
    if (e.key === verbs[i].key) {
      e.preventDefault(); // F5 finishes here, it does not reload
      if (!e.repeat && !sheetOpen() && !buttons[verbs[i].id].box.disabled) {
        verbs[i].press();
      }
      return;
    }
  }
}

const lost = '连不上大厅服务器，正在重连。这里显示的可能不是最新情况。';

function onLive(is: boolean): void {
  if (!is) {
    say('bad', lost);
  } else if (byId('say-text').textContent === lost) {
    say('', '');
  }
  live = is;
  mark(byId('live'), 'bar-live-bad', !live);
  text(byId('live-text'), live ? '已连接' : '正在重连…');
}

function main(): void {
  text(byId('person'), page.person);
  makeVerbs();
  onLive(true);
  say('', '');
  draw();
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  byId('open-close').addEventListener('click', function (): void { send('door', windowIs('closed') ? 'open' : 'close'); });
  document.addEventListener('keydown', onKey);
  everySecond(drawTime);
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!ticket() && !busy) {
      window.location.reload();
    }
  });
  listen({
    as: page.as, query: 'window=' + encodeURIComponent(page.window),
    onHall: function (next: Hall): void {
      hall = next;
      why = next.console ? next.console.why : null;
      mine = find(next.windows, function (w) { return w.id === page.window; });
      draw();
    },
    onInput: onInput, onLive: onLive,
    onSignedOut: function (): void {
      say('bad', '登录已过期，或这个窗口已由他人登录。');
      act('重新登录', function (): void { window.location.reload(); });
      onLive(false);
    }
  });
}

if (!gate(page.as)) {
  main();
}
