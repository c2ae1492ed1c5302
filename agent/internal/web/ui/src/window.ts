// The clerk's console. Every verb is a button and an F-key of the clerk's choice; what may be pressed follows the state the server tells.

import { everySecond, follow, now, timeText } from './lib/clock';
import { byId, button, empty, make, mark, phrases, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Hall, Input, Ticket, classTag, find, stateName } from './lib/hall';
import { Problem, request } from './lib/http';
import { listen } from './lib/live';
import { lockNow, unlessLocked, watchLock } from './lib/lock';
import { closeSheet, sheetOpen } from './lib/sheet';
import { askAbandon, askDuty, askHold, askPause, askTransfer, checkQuestion, showWhy } from './window/ask';
import { about, beside, desk, held, page, queueName, recall, ticket, ticketIs, windowIs } from './window/desk';
import { askKeys, isKey, keyOf, takeKey, useKeys, verbOf } from './window/keys';
import { act, complain, expired, say } from './window/say';
import { askRating, check, goodbye, leave, release, send, undoable } from './window/send';
import { drawAbout, drawSide, dutiesOver } from './window/side';
import { drawTimes } from './window/times';

interface Verb { id: string; key: string; name: string; label: () => string; may: () => boolean; press: () => void; }

const tremble = 300; // milliseconds within which a second 叫下一个 is the same press of a finger
const lateMS = 2000; // how long a key waits for the answer to the one before

let live = true;
let lostTold = false;
let calledAt = -tremble; // when 叫下一个 was pressed last, in milliseconds since the page began, if no other verb was since
let ready = 0; // timer of the moment from which the ticket may be called again
let later: Input | null = null; // shown while something could be taken back

function may(...states: string[]): () => boolean {
  return function (): boolean { return states.some(ticketIs); };
}

function nextLabel(): string {
  return windowIs('closed') ? '开窗' : ticket() ? '办结并叫下一个' : windowIs('paused') ? '恢复并叫下一个' : '叫下一个';
}

/** 重呼 tells how long it is not to be pressed: nobody is called twice by surprise. */
function recallLabel(): string {
  const r = recall();
  return !r ? '重呼' : r.left === 0 ? '重呼（已满）' : r.ms > 0 ? '重呼（' + Math.ceil(r.ms / 1000) + ' 秒）' : '重呼';
}

function steps(): boolean {
  const t = ticket();
  const a = t ? about(t) : null;
  return !!a && a.then.length > 0;
}

/** Sends a verb about the ticket that this page shows, and no other. */
function sendHere(id: string, verb: string): void {
  const t = ticket();
  if (t) {
    send(id, verb, { ticket: t.id });
  }
}

/** Presses a verb. A finger that trembles, or a mouse that clicks twice, must not call two people; as long as nobody is called it may. */
function pressVerb(v: Verb): void {
  const at = v.id === 'next' ? window.performance.now() : -tremble; // another verb in between was meant
  if (v.id !== 'next' || !ticket() || at - calledAt >= tremble) {
    v.press();
  }
  calledAt = at;
}

function finish(): void {
  const t = ticket();
  if (t) {
    leave('finish', t, {});
  }
}

const verbs: Verb[] = [
  {
    id: 'next', key: 'F2', name: '叫下一个', label: nextLabel, may: function () { return !!desk.mine; },
    press: function () { send('next', windowIs('closed') ? 'open' : 'call-next'); }
  },
  {
    id: 'rate', key: 'F1', name: '评价', label: function () { return '评价'; },
    may: function () { return !!desk.mine && !windowIs('closed') && !ticket(); }, press: askRating
  },
  {
    id: 'recall', key: 'F3', name: '重呼', label: recallLabel,
    may: function () { const r = recall(); return !!r && r.ms <= 0 && r.left !== 0; },
    press: function () { sendHere('recall', 'recall'); }
  },
  { id: 'start', key: 'F4', name: '开始办理', label: function () { return '开始办理'; }, may: may('called'), press: function () { sendHere('start', 'start'); } },
  {
    id: 'finish', key: 'F5', name: '办结', label: function () { return steps() ? '办结这一项' : '办结'; }, may: may('called', 'serving'),
    press: finish
  },
  { id: 'pass', key: 'F6', name: '过号', label: function () { return '过号'; }, may: may('called'), press: function () { sendHere('pass', 'pass'); } },
  { id: 'transfer', key: 'F7', name: '转移', label: function () { return '转移'; }, may: may('called', 'serving'), press: askTransfer },
  {
    id: 'hold', key: 'F8', name: '挂起', label: function () { return !ticket() && held().length > 0 ? '恢复 ' + lastHeld().number : '挂起'; },
    may: function () { return ticketIs('serving') || !ticket() && held().length > 0; },
    press: function () { if (ticket()) { askHold(); } else { send('hold', 'resume', { ticket: lastHeld().id }); } }
  },
  { id: 'abandon', key: 'F9', name: '弃号', label: function () { return '弃号'; }, may: may('called', 'serving'), press: askAbandon },
  {
    id: 'pause', key: 'F10', name: '暂停', label: function () { return windowIs('paused') ? '结束暂停' : '暂停'; },
    may: function () { return windowIs('paused') || windowIs('open') && !ticket(); },
    press: function () { if (windowIs('paused')) { send('pause', 'unpause'); } else { askPause(); } }
  }
];

/** The ticket held last at this window, or the first of the hall's pool. */
function lastHeld(): Ticket {
  const all = held();
  let last = all[0];
  for (let i = 0; i < all.length; i++) {
    if (all[i].window === page.window) {
      last = all[i];
    }
  }
  return last;
}

// ---- drawing ----

const buttons: { [id: string]: { box: HTMLButtonElement; label: HTMLElement; key: HTMLElement } } = {};

function makeVerbs(): void {
  const box = byId('verbs');
  for (let i = 0; i < verbs.length; i++) {
    const v = verbs[i];
    const b = button('btn verb' + (i === 0 ? ' verb-first btn-main' : i === 1 ? ' verb-second' : v.id === 'abandon' ? ' btn-bad' : ''), '', function (): void { pressVerb(v); });
    const label = make('span', '');
    const key = make('small', '');
    b.appendChild(label);
    b.appendChild(key);
    box.appendChild(b);
    buttons[v.id] = { box: b, label: label, key: key };
  }
}

function drawVerbs(): void {
  for (let i = 0; i < verbs.length; i++) {
    const v = verbs[i];
    const b = buttons[v.id];
    text(b.label, v.label());
    text(b.key, keyOf(v.id));
    show(b.key, keyOf(v.id) !== '');
    b.box.disabled = desk.busy !== '' || !v.may();
    mark(b.box, 'verb-busy', desk.busy === v.id);
  }
}

function draw(): void {
  drawVerbs();
  drawState();
  drawNow();
  drawSide();
}

function drawState(): void {
  const names: { [state: string]: string } = { open: '开窗', paused: '暂停服务', closed: '未开窗' };
  const state = desk.mine ? desk.mine.state : '';
  text(byId('state'), names[state] || '…');
  byId('state').className = 'bar-state bar-state-' + state;
  const b = byId<HTMLButtonElement>('open-close');
  const c = beside();
  const mineHeld = held().some(function (t) { return t.window === page.window; });
  text(b, state === 'closed' ? '开窗' : '关窗');
  b.disabled = desk.busy !== '' || !desk.mine || !c || !!desk.mine.ticket || mineHeld;
}

/** "按 F2 叫下一个", or without the key if it has none. */
function press(verb: string, what: string): string {
  return '按' + (keyOf(verb) ? ' ' + keyOf(verb) + ' ' : '按钮') + what;
}

/** What stands where the number would, and what to do, when there is no ticket. */
function idle(): { head: string; hint: string } {
  const c = beside();
  const waiting = c ? c.waiting : 0;
  const line = waiting > 0 ? '有 ' + waiting + ' 人等候' : '现在没有人等候';
  if (!desk.mine) {
    return { head: '', hint: '' };
  }
  if (windowIs('closed')) {
    return { head: press('next', '开窗'), hint: line };
  }
  if (windowIs('paused')) {
    return {
      head: c && c.reason || '没有写明原因',
      hint: press('pause', '结束暂停') + '；' + line + (waiting > 0 ? '，' + press('next', '结束暂停并叫下一个') : '')
    };
  }
  return { head: line, hint: waiting > 0 ? press('next', '叫下一个') : '有人取号后这里马上更新' };
}

function drawNow(): void {
  const t = desk.mine ? desk.mine.ticket : null;
  const paused = windowIs('paused');
  const leaving = t ? desk.leaving : null;
  mark(byId('now'), 'now-none', !t);
  mark(byId('now'), 'now-paused', paused && !t);
  mark(byId('now'), 'now-leaving', !!leaving);
  byId('now-state').className = 'now-state now-state-' + (leaving ? 'leaving' : t ? t.state : paused ? 'paused' : 'none');
  text(byId('now-state'), leaving ? leaving.verb === 'finish' ? '即将办结' : '即将弃号' :
    t ? stateName(t.state) : !desk.mine ? '正在连接' : windowIs('closed') ? '窗口未开' : paused ? '暂停服务' : '空闲');
  text(byId('now-number'), t ? t.number : '');
  const none = idle();
  text(byId('now-queue'), t ? queueName(t.queue) : none.head);
  const tags = byId('now-tags');
  empty(tags);
  if (t && classTag(t.class)) {
    tags.appendChild(make('span', 'tag tag-warm', classTag(t.class)));
  }
  phrases(byId('now-hint'), t ? '' : none.hint);
  show(byId('now-why'), !!t && !!desk.why);
  drawAbout(t);
  drawTimes();
}

function everyTick(): void {
  text(byId('time'), timeText(new Date(now())));
  drawTimes();
  drawVerbs();
  drawSide();
  tellLost();
  if (dutiesOver()) {
    look();
  }
  const input = later;
  if (input && !undoable() && !desk.busy) {
    later = null;
    onInput(input);
  }
}

// ---- what comes in ----

function onHall(next: Hall): void {
  if (!desk.hall || desk.hall.console !== next.console) { // the same one again has grown old
    desk.told = Date.now();
  }
  desk.hall = next;
  desk.why = next.console ? next.console.why : null;
  desk.mine = find(next.windows, function (w) { return w.id === page.window; });
  check();
  checkQuestion();
  draw();
  const r = recall();
  window.clearTimeout(ready);
  if (r && r.ms > 0) {
    ready = window.setTimeout(drawVerbs, r.ms + 10);
  }
}

/** Asks for the hall as it is now, because something changed that nobody did. */
function look(): void {
  request<Hall>({ method: 'GET', path: '/api/v1/hall?window=' + encodeURIComponent(page.window), as: page.as }, function (_, answer): void {
    if (answer) {
      onHall(answer);
    }
  });
}

/** A slip, code or card shown at the window. */
function onInput(input: Input): void {
  later = null;
  if (undoable()) { // an offer to undo is not taken away by what somebody shows
    later = input;
    return;
  }
  if (input.kind === 'refused' || input.kind === 'unreadable') {
    say('bad', input.detail || '这个码不能用。');
    return;
  }
  const t = ticket();
  const open = input.waiting || [];
  if (input.ticket) {
    offerCall(input.ticket, '扫到 ');
  } else if (t && open.indexOf(t.id) >= 0) {
    say('good', '已核对身份，就是 ' + t.number + ' 本人');
  } else if (open.length > 0) {
    offerCall(open[0], '已核对身份，他的号是 ');
  } else {
    say('good', input.kind === 'idcard' ? '已读到身份证，没有他在等的号' : '已核对身份');
  }
}

/** Tells which ticket somebody has, and offers to call it. */
function offerCall(id: string, words: string): void {
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (problem, answer): void {
    if (problem || !answer) {
      complain(problem);
      return;
    }
    const t = answer.ticket;
    say('warn', words + t.number + '（' + stateName(t.state) + '）');
    if (t.state === 'waiting' || t.state === 'passed') {
      act('叫这个号', function (): void { send('call', 'call', { ticket: t.id, reason: '群众到窗口出示小票或证件' }); });
    }
  });
}

function onKey(e: KeyboardEvent): void {
  if (sheetOpen()) {
    if (e.key === 'Escape' || e.key === 'Esc') {
      closeSheet();
      e.preventDefault();
    } else if (takeKey(e) || verbOf(e.key) || spare(e.key)) {
      e.preventDefault(); // F5 does not reload
    }
    return;
  }
  if (e.ctrlKey && (e.key === 'z' || e.key === 'Z') && undoable()) {
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
  const verb = find(verbs, function (v) { return v.id === verbOf(e.key); });
  if (verb || spare(e.key)) {
    e.preventDefault();
  }
  if (!verb || e.repeat) {
    return;
  }
  if (desk.busy) {
    if (desk.busy !== verb.id) {
      pressLate(verb);
    }
  } else if (verb.may()) {
    pressVerb(verb);
  } else if (!undoable()) { // an offer to undo stays
    say('warn', whyNot(verb));
  }
}

/** A verb for what the page shows now: the stream is often quicker than the answer. It is for that ticket and this moment alone. */
function pressLate(v: Verb): void {
  const at = Date.now();
  const seen = desk.mine && desk.mine.ticket ? desk.mine.ticket.id : '';
  desk.late = {
    name: v.name,
    go: function (): boolean {
      const t = ticket();
      const same = (t ? t.id : '') === seen && Math.abs(Date.now() - at) < lateMS;
      if (same && v.may()) {
        pressVerb(v);
        return true;
      }
      return false;
    }
  };
}

/** Browsers would find, help or show their tools: nothing a clerk means whose finger slipped. Reloading and the full screen are left. */
function spare(key: string): boolean {
  return isKey(key) && key !== 'F5' && key !== 'F11';
}

/** What the key of a button says that cannot be pressed now. */
function whyNot(v: Verb): string {
  const r = v.id === 'recall' ? recall() : null;
  if (r && r.left === 0) {
    return '这个号已经叫够次数。人没来请按“过号”。';
  }
  if (r && r.ms > 0) {
    return '再等 ' + Math.ceil(r.ms / 1000) + ' 秒才能重呼，给群众留一点时间。';
  }
  const t = ticket();
  const state = !desk.mine ? '还没有连上大厅' : windowIs('closed') ? '窗口未开' : t ? t.number + ' ' + stateName(t.state) :
    windowIs('paused') ? '窗口暂停服务' : '窗口没有号';
  return state + '，现在不能“' + v.name + '”。';
}

const lost = '连不上大厅服务器，正在重连。这里显示的可能不是最新情况。';

function onLive(is: boolean): void {
  live = is;
  tellLost();
  mark(byId('live'), 'bar-live-bad', !live);
  text(byId('live-text'), live ? '已连接' : '正在重连…');
}

/** Says that the line is broken, once, but takes no offer to undo away for it. */
function tellLost(): void {
  if (live) {
    if (lostTold && byId('say-text').textContent === lost) {
      say('', '');
    }
    lostTold = false;
  } else if (!lostTold && !undoable() && !desk.busy) {
    lostTold = true;
    say('bad', lost);
  }
}

/** A press by mouse leaves the keyboard where it is: what a scanner types, or an Enter that was meant for another program, must not
 * press the same button again. */
function keepFocus(e: MouseEvent): void {
  let at = e.target as HTMLElement | null;
  while (at && at.tagName !== 'BUTTON') {
    at = at.parentElement;
  }
  if (at && !sheetOpen()) {
    e.preventDefault();
  }
}

function listenToPeople(): void {
  byId('sign-out').addEventListener('click', function (): void { release(function (): void { signOut(page.as); }); });
  byId('lock-now').addEventListener('click', function (): void { release(function (): void { lockNow(page.as); }); });
  byId('open-close').addEventListener('click', function (): void { send('door', windowIs('closed') ? 'open' : 'close'); });
  byId('set-keys').addEventListener('click', askKeys);
  byId('duty').addEventListener('click', askDuty);
  byId('now-why').addEventListener('click', function (): void {
    const t = desk.mine ? desk.mine.ticket : null;
    if (t && desk.why) {
      showWhy(t, desk.why);
    }
  });
  document.addEventListener('keydown', onKey);
  document.addEventListener('mousedown', keepFocus);
  (window as unknown as { onhelp: () => boolean }).onhelp = function (): boolean { return false; }; // F1 of Internet Explorer
  window.addEventListener('storage', function (): void { useKeys(verbs, draw); draw(); }); // set in another tab
  window.addEventListener('pagehide', goodbye);
}

function main(): void {
  watchLock();
  text(byId('person'), page.person);
  desk.draw = draw;
  useKeys(verbs, draw);
  makeVerbs();
  onLive(true);
  say('', '');
  draw();
  listenToPeople();
  everySecond(everyTick);
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!ticket() && !desk.busy && !desk.leaving) {
      window.location.reload();
    }
  });
  listen({
    as: page.as, query: 'window=' + encodeURIComponent(page.window),
    onHall: unlessLocked(onHall), onInput: onInput, onLive: onLive,
    onSignedOut: function (problem: Problem): void {
      onLive(false);
      expired(problem);
    }
  });
}

if (!gate(page.as)) {
  main();
}
