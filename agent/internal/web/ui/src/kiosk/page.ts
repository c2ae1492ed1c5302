// The kiosk: welcome, press, number. The server decides; this page shows where the citizen stands and never leaves him waiting
// without a word.

import { findVoice, isReading, setReading } from './aloud';
import { showResult } from './result';
import { showOwn } from './own';
import { showPerson } from './person';
import { drawGuide, followGuide, ringGuide } from './guide';
import { QueueSetup, balance, queueButton, queueName } from './queue';
import { Eye, askIdentity, drawReaders, explainReader, useEye } from './readers';
import { Refusal, whyClosed, whyLate, whyRefused } from './refusal';
import { drawNotice, readTicket } from './slip';
import { end, go, isElder, nextVisitor, page, redraw, second, setElder, shown, slower, timed, touch, visitor, watchVisit } from './stage';
import { forgetTrouble, tellSentence, tellTrouble, troubleSecond } from './trouble';
import { watchdog } from './watchdog';
import { dateSay, language, readMarkup, speak, t, timeSay } from './words';
import { everySecond, follow, now, timeText } from '../lib/clock';
import { byId, button, empty, mark, phrases, show, text, touchOnly } from '../lib/dom';
import { Booking, Gives, Hall, Input, Queue, Ticket, find } from '../lib/hall';
import { Problem, Request, command, keepKeys } from '../lib/http';
import { listen } from '../lib/live';

const perPage = 6;
const perElderPage = 4;
/** How many things somebody may come for with one number. */
const mostTogether = 4;
/** For so long a citizen whose number did not come may press again and get that one. */
const againMS = 30000;
/** A button must not be replaced under a finger, whose click comes when it is gone: so long it may stay. */
const fingerMS = 2000;

const keys = keepKeys(againMS);

let hall: Hall | null = null;
let live = true;
let first = 0; // queue shown first
let several = false; // choosing several services
let together: QueueSetup[] = []; // those chosen
let identity = ''; // of the person at the kiosk
let how = ''; // he was recognised
let wanted: QueueSetup[] = []; // waits for identity
let outdated = false; // the server has newer pages
let touched = 0; // until when a finger may be on a button

// ---- home ----

function goHome(): void {
  go('home', drawHome);
}

/** The citizen has gone: nothing of him stays. */
function over(): void {
  forgetVisit();
  speak('zh');
  read(false);
  setElder(false);
  drawFrame();
  goHome();
  if (outdated) {
    window.location.reload();
  }
}

function forgetVisit(): void {
  keys.forget();
  identity = '';
  wanted = [];
  together = [];
  several = false;
  first = 0;
  forgetTrouble();
}

function hasBegun(): boolean {
  return !!identity || several || first > 0 || language() !== 'zh' || isReading();
}

function queueNow(id: string): Queue | null {
  return hall ? find(hall.queues, function (q) { return q.id === id; }) : null;
}

function gives(id: string): Gives | null {
  return hall && hall.gives && hall.gives[id] || null;
}

function drawHome(): void {
  show(byId('stale'), !live);
  const readers = page.reads.length > 0;
  drawReaders(page.reads, broken);
  show(byId('ways'), !identity && readers);
  show(byId('privacy-line'), !identity && readers);
  const noted = drawNotice(hall ? hall.paper : undefined);
  show(byId('home-way'), !!identity || readers || noted);
  mark(byId('home'), 'home-trouble', noted);
  show(byId('known'), !!identity);
  drawKnown();
  const count = isElder() ? perElderPage : perPage;
  const pages = Math.ceil(page.queues.length / count);
  const box = byId('queues');
  empty(box);
  const most = Math.min(count, page.queues.length);
  box.className = 'queues queues-' + most + (most > 3 ? ' many' : ' few');
  for (let i = first; i < page.queues.length && i < first + count; i++) {
    box.appendChild(homeButton(page.queues[i]));
  }
  const names = box.getElementsByClassName('queue-name');
  for (let i = 0; i < names.length; i++) {
    balance(names[i] as HTMLElement);
  }
  const shut = !find(page.queues, function (q) { const g = gives(q.id); return !g || g.open; });
  text(byId('ask'), shut ? t('现在不取号', 'No numbers are given now') : several ? t('请按先后顺序选择', 'Choose in the order you need') : page.queues.length === 1 ? t('请按下面取号', 'Press to take a number') : t('请选择要办理的业务', 'Please choose a service'));
  const more = byId('several');
  show(more, page.queues.length > 1 && !shut);
  text(more, several ? t('只办一项', 'One service') : t('多项一起办', 'Several services'));
  show(byId('together'), several);
  text(byId('together-take'), together.length > 1 ? t('取号（' + together.length + ' 项）', 'Take one number (' + together.length + ')') : t('取号', 'Take a number'));
  byId<HTMLButtonElement>('together-take').disabled = together.length === 0 || !live;
  show(byId('pager'), pages > 1);
  mark(byId('home'), 'home-pages', pages > 1);
  mark(byId('home'), 'home-full', noted || pages > 1);
  const at = Math.floor(first / count) + 1;
  text(byId('page-text'), t('第 ' + at + ' 页，共 ' + pages + ' 页', 'Page ' + at + ' of ' + pages));
  byId<HTMLButtonElement>('page-back').disabled = first === 0;
  byId<HTMLButtonElement>('page-next').disabled = first + count >= page.queues.length;
}

function drawKnown(): void {
  const zh: { [kind: string]: string } = { idcard: '身份证已核对', yss_code: '粤省事码已核对', ysh_code: '粤商码已核对' };
  const pending = how === 'refused';
  mark(byId('known'), 'known-pending', pending);
  phrases(byId('known-text'), pending ? t('码核验不了，先取号，到窗口看身份证', 'Not checked: take a number, show your ID card at the window') : t((zh[how] || '身份已核对') + '，请选择业务', how === 'idcard' ? 'Your ID card was read' : 'Your code was read'));
}

/** Whether a reader of this kiosk has failed. */
function broken(role: string): boolean {
  const name = page.as + '.' + role;
  return !!hall && !!find(hall.health, function (c) { return c.subject === name && c.severity === 'error'; });
}

function homeButton(q: QueueSetup): HTMLElement {
  const b = queueButton(q, {
    queue: queueNow(q.id), gives: gives(q.id), asks: q.identity === 'required' && !identity, several: several, chosen: together.indexOf(q) + 1
  }, function (): void { press(q); });
  b.disabled = !live;
  return b;
}

// ---- taking a number ----

function press(q: QueueSetup): void {
  if (shown() !== 'home' || !live) {
    return;
  }
  const g = gives(q.id);
  if (g && !g.open) {
    tellRefusal(function () {
      return whyClosed(queueName(q), g.reason, timeSay(g.opens), timeSay(g.closes), q.windows) || { title: queueName(q), say: '' };
    });
    return;
  }
  if (several) {
    const at = together.indexOf(q);
    if (at >= 0) {
      together.splice(at, 1);
    } else if (together.length < mostTogether) {
      together.push(q);
    }
    drawHome();
    return;
  }
  wish([q]);
}

/** Takes a number if somebody still wants it who would probably wait past the end of the day. */
function wish(list: QueueSetup[]): void {
  const late = find(list, function (q) { const g = gives(q.id); return !!g && g.late; });
  if (!late) {
    choose(list);
    return;
  }
  const closes = (gives(late.id) as Gives).closes;
  tellRefusal(function () { return whyLate(queueName(late), timeSay(closes)); }, function () { return t('仍要取号', 'Take a number'); },
    function (): void { choose(list); }, function () { return t('不取了', 'No, thank you'); });
}

function choose(list: QueueSetup[]): void {
  wanted = list;
  if (!identity && find(list, function (q) { return q.identity === 'required'; })) {
    go('card', function (): void { askIdentity(queueName(list[0]), page.reads); });
    return;
  }
  take(list, null);
}

function take(list: QueueSetup[], booking: Booking | null): void {
  const mine = visitor();
  const byCard = !!identity && how === 'idcard';
  go('issuing', function (): void { /* says the same to everybody */ });
  const body: { queue: string; channel: string; identity?: string; booking?: string; then?: string[] } = { queue: list[0].id, channel: 'kiosk' };
  if (identity) {
    body.identity = identity;
  }
  if (booking) {
    body.booking = booking.booking;
  }
  for (let i = 1; i < list.length; i++) {
    (body.then = body.then || []).push(list[i].id);
  }
  const order: Request = { method: 'POST', path: '/api/v1/tickets', as: page.as, body: body };
  order.key = keys.of(order);
  command<{ ticket: Ticket }>(order, 15000, function (problem, answer): void {
    keys.answered(order, problem);
    if (mine !== visitor()) {
      return;
    }
    wanted = [];
    if (problem || !answer) {
      refused(problem, list[0]);
      return;
    }
    forgetVisit();
    showResult(answer.ticket, list, !!booking, byCard);
  });
}

/** No number: the one that waits already, or why not. Who was recognised stays so, to choose something else. */
function refused(problem: Problem | null, q: QueueSetup): void {
  const open = problem as (Problem & { ticket?: string }) | null;
  if (problem && problem.code === 'already_waiting' && open && open.ticket) {
    own(open.ticket, function () { return t('您在这个业务已经有号，请用原来的号', 'You have a number for this service already'); });
    return;
  }
  if (problem && problem.code === 'identity_unknown') {
    identity = '';
  }
  const why = function (): Refusal {
    return problem ? whyRefused(problem, queueName(q), q.windows) : { title: t('没有取到号', 'No number was given'), say: t('请再试一次。', 'Please try again.') };
  };
  const ticket = open && open.ticket;
  if (ticket) {
    tellRefusal(why, function () { return t('看我的号', 'Show my number'); }, function (): void { own(ticket); });
  } else {
    tellRefusal(why);
  }
}

function own(id: string, why?: () => string): void {
  showOwn(id, why, tellRefusal);
}

/** Says calmly why there is no number, with the way back, whose label is back, and, if there is one, another way on. */
function tellRefusal(why: () => Refusal, label?: () => string, onPress?: () => void, back?: () => string): void {
  go('message', function (): void {
    const r = why();
    phrases(byId('message-title'), r.title);
    phrases(byId('message-text'), r.say);
    phrases(byId('message-small'), r.small || '');
    const more = byId('message-more');
    empty(more);
    if (label && onPress) {
      more.appendChild(button('btn', label(), onPress));
    }
    text(byId('message-back'), back ? back() : t('知道了', 'I see'));
  });
}

// ---- what is shown to the kiosk ----

function onInput(input: Input): void {
  if (shown() === 'issuing') {
    return;
  }
  if (input.kind === 'unreadable') {
    tellSentence(language() === 'zh' ? input.detail || '' : 'It could not be read. Please try again.', slower());
    return;
  }
  if (input.kind === 'refused' && !input.identity) {
    tellTrouble(t('这个码不能用', 'This code cannot be used'), t(input.detail || '请换一个码再试。', 'Please try another code.'), slower());
    return;
  }
  if (input.kind === 'idcard_no') {
    tellTrouble(t('请刷身份证原件', 'Please use the ID card itself'), t('扫身份证号码不能核对身份，请把身份证放在读卡区。', 'Put the card on the reader.'), slower());
    return;
  }
  forgetTrouble();
  if (input.ticket) { // a slip says nothing of who holds it: whoever was recognised before may be somebody else
    forgetVisit();
    own(input.ticket);
    return;
  }
  if (input.identity) { // also of a code that nobody could be asked about: the window looks at the card
    recognised(input, input.identity);
  } else if (input.bookings) { // an appointment's own code: it says what, not who
    nextVisitor();
    forgetVisit();
    offer(input.bookings, []);
  }
}

/** Somebody's card or code was read: on with what he chose, else what the hall has for him, else the services. */
function recognised(input: Input, token: string): void {
  const asked = shown() === 'card' || shown() === 'camera' ? wanted : [];
  const mine = nextVisitor();
  forgetVisit();
  identity = token;
  how = input.kind;
  if (asked.length > 0) {
    take(asked, null);
    return;
  }
  const bookings = input.bookings || [];
  const waiting = input.waiting || [];
  if (bookings.length === 0 && waiting.length === 1) {
    own(waiting[0], function () { return t('您已经取过号，正在排队', 'You have a number already'); });
    return;
  }
  if (bookings.length + waiting.length > 0) {
    ticketsOf(waiting, [], function (tickets): void {
      if (mine === visitor()) {
        offer(bookings, tickets);
      }
    });
    return;
  }
  const only = page.queues[0];
  const g = page.queues.length === 1 ? gives(only.id) : null;
  if (page.queues.length === 1 && (!g || g.open && !g.late)) {
    take([only], null); // there is nothing to choose
    return;
  }
  goHome();
}

/** Reads tickets one after the other; one that is gone is left out. */
function ticketsOf(ids: string[], have: Ticket[], done: (tickets: Ticket[]) => void): void {
  if (ids.length === 0) {
    done(have);
    return;
  }
  readTicket(ids[0], function (_, answer): void {
    ticketsOf(ids.slice(1), answer ? have.concat([answer.ticket]) : have, done);
  });
}

function offer(bookings: Booking[], tickets: Ticket[]): void {
  showPerson(bookings, tickets, {
    onBooking: function (b, q): void { take([q], b); },
    onTicket: function (id): void { own(id); },
    onOther: goHome
  });
}

// ---- the hall ----

let drawn = '';

/** Draws the home view again only if what it shows has changed: a button must not be replaced under a finger. */
function refreshHome(): void {
  if (Date.now() < touched) {
    return; // within a second it is looked at again
  }
  const state = JSON.stringify([hall ? [hall.queues, hall.health, hall.gives, hall.paper] : null, live]);
  if (state !== drawn) {
    drawn = state;
    if (shown() === 'home') {
      drawHome();
    }
  }
}

function onHall(next: Hall): void {
  hall = next;
  followGuide(next.help || []);
  refreshHome();
}

function onLive(is: boolean): void {
  live = is;
  show(byId('stale'), !is && shown() !== 'result');
  refreshHome();
}

function tick(): void {
  const at = new Date(now());
  text(byId('time'), timeText(at));
  text(byId('date'), dateSay(at));
  troubleSecond();
  refreshHome();
}

/** What stands around every view. */
function drawFrame(): void {
  text(byId('lang'), t('English', '中文'));
  setElder(isElder());
  read(isReading());
  drawGuide();
  tick();
}

function read(yes: boolean): void {
  setReading(yes, byId('voice'));
}

function changeLanguage(): void {
  speak(language() === 'zh' ? 'en' : 'zh');
  drawFrame();
  redraw();
  touch();
}

function turnPage(by: number): void {
  first = Math.max(0, first + by * (isElder() ? perElderPage : perPage));
  drawHome();
  touch();
}

/** Notes when a finger, or a mouse, may be on a button. */
function followFinger(): void {
  const note = function (e: Event): void { touched = e.type === 'click' ? 0 : Date.now() + fingerMS; };
  ['touchstart', 'mousedown', 'click'].forEach(function (name): void { document.addEventListener(name, note, true); });
}

/** Runs the page of a kiosk, which may have an eye. */
export function main(eye: Eye | null): void {
  const explain = function (role: 'idcard' | 'scanner'): void { go('card', function (): void { explainReader(role); }); };
  useEye(eye, tellRefusal);
  const actions: { [id: string]: () => void } = {
    'page-back': function () { turnPage(-1); }, 'page-next': function () { turnPage(1); },
    'elder': function () { setElder(!isElder()); first = 0; redraw(); touch(); },
    'lang': changeLanguage, 'guide': ringGuide,
    'voice': function () { read(!isReading()); redraw(); touch(); },
    'several': function () { several = !several; together = []; drawHome(); touch(); },
    'together-take': function () { wish(together); },
    'way-card': function () { explain('idcard'); }, 'way-code': function () { wanted = []; eye ? eye.open() : explain('scanner'); },
    'privacy-more': function () { go('privacy', function (): void { /* the page's markup says it */ }); }, 'privacy-back': goHome,
    'known-end': end, 'card-back': end, 'result-end': end, 'mine-back': end, 'person-end': end,
    'mine-other': goHome, 'message-back': goHome, 'result-stay': touch, 'still-go': touch
  };
  for (const id in actions) {
    byId(id).addEventListener('click', actions[id]);
  }
  document.addEventListener('click', function (): void {
    forgetTrouble();
    if (timed()) {
      touch();
    }
  });
  followFinger();
  touchOnly();
  window.addEventListener('resize', redraw);
  watchVisit(hasBegun, over);
  const dog = watchdog(page.as, function () { return shown() === 'home' && !hasBegun(); }, function () { return shown() === 'issuing'; });
  readMarkup();
  drawFrame();
  goHome();
  findVoice(page.as, function (): void { read(isReading()); });
  everySecond(function (): void { tick(); second(); dog.beat(); });
  follow(page.as, page.version, function (): void { /* the stream tells whether the hall is reached */ }, function (): void {
    outdated = true;
    if (shown() === 'home' && !hasBegun()) {
      window.location.reload();
    }
  });
  listen({
    as: page.as, query: 'gives=1', onHall: onHall, onInput: onInput,
    onLive: function (is): void { dog.live(is); onLive(is); },
    onSignedOut: function (): void { window.location.reload(); }
  });
}
