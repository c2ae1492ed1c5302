// The kiosk: welcome, press, number. The server decides; this page shows where the citizen stands and never leaves him waiting
// without a word.

import { QueueSetup, balance, queueButton } from './kiosk/queue';
import { askIdentity, drawReaders, explainReader } from './kiosk/readers';
import { forgetTrouble, tellSentence, tellTrouble, troubleSecond } from './kiosk/trouble';
import { dateText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, button, empty, mark, phrases, setup, show, text, touchOnly } from './lib/dom';
import { gate } from './lib/gate';
import { Condition, Hall, Input, Queue, Ticket, find, stateName, waitText } from './lib/hall';
import { Problem, command, request, sentence } from './lib/http';
import { listen } from './lib/live';

interface Setup { as: string; version: string; queues: QueueSetup[]; reads: string[]; }

type View = 'home' | 'card' | 'issuing' | 'result' | 'mine' | 'message';

/** Seconds a view stays without a touch, and when it asks whether somebody is still there. */
const stays: { [view: string]: number } = { home: 60, card: 60, issuing: 0, result: 20, mine: 40, message: 20 };
/** Elderly people read longer. */
const elderStays = 1.5;
const warnAt = 20;
const perPage = 6;
const perElderPage = 4;
/** How long the printer may take before the page stops waiting for it. */
const paperMS = 25000;

const page = setup<Setup>();
const views: View[] = ['home', 'card', 'issuing', 'result', 'mine', 'message'];

let view: View = 'home';
let left = 0; // seconds until the view ends; 0: it stays
let hall: Hall | null = null;
let live = true;
let elder = false;
let first = 0; // queue shown first
let identity = ''; // of the person at the kiosk
let wanted: QueueSetup | null = null; // waits for identity
let shown: Ticket | null = null; // in result or mine
let outdated = false; // the server has newer pages
let visit = 0; // grows with each citizen, so that late answers are not shown to the next

function go(next: View): void {
  view = next;
  for (let i = 0; i < views.length; i++) {
    show(byId(views[i]), views[i] === next);
  }
  touch();
}

/** Somebody is there: the time starts anew. */
function touch(): void {
  left = Math.round(stays[view] * (elder ? elderStays : 1));
  if (view === 'home' && !identity && !elder && first === 0) {
    left = 0;
  }
  if (view === 'result' && byId('paper').className.indexOf('paper-bad') >= 0) {
    left *= 2;
  }
  show(byId('still'), false);
  showCount();
}

/** The citizen has gone: nothing of him stays. */
function end(): void {
  visit++;
  identity = '';
  wanted = null;
  shown = null;
  first = 0;
  forgetTrouble();
  setElder(false);
  go('home');
  drawHome();
  if (outdated) {
    window.location.reload();
  }
}

function setElder(on: boolean): void {
  elder = on;
  mark(document.documentElement, 'elder', on);
  const b = byId('elder');
  text(b, on ? '标准版' : '长辈版');
  b.setAttribute('aria-pressed', on ? 'true' : 'false');
}

function showCount(): void {
  const say = left > 0 ? left + ' 秒后返回首页' : '';
  text(byId('result-count'), say);
  text(byId('mine-count'), say);
  text(byId('card-count'), say);
  text(byId('message-count'), say);
  text(byId('still-count'), say);
}

function tick(): void {
  const at = new Date(now());
  text(byId('time'), timeText(at));
  text(byId('date'), dateText(at));
  troubleSecond();
  if (left === 0) {
    return;
  }
  left--;
  if (left === 0) {
    end();
    return;
  }
  showCount();
  const asks = left <= warnAt && (view === 'home' || view === 'card' || view === 'mine');
  if (asks && byId('still').hidden) {
    show(byId('still'), true);
    byId('still-go').focus();
  }
}

// ---- home ----

function queueNow(id: string): Queue | null {
  return hall ? find(hall.queues, function (q) { return q.id === id; }) : null;
}

function drawHome(): void {
  drawReaders(page.reads, broken);
  show(byId('ways'), !identity && page.reads.length > 0);
  show(byId('home-way'), !!identity || page.reads.length > 0 || !!printerTrouble());
  show(byId('known'), !!identity);
  const count = elder ? perElderPage : perPage;
  const pages = Math.ceil(page.queues.length / count);
  const box = byId('queues');
  empty(box);
  box.className = 'queues queues-' + Math.min(count, page.queues.length);
  for (let i = first; i < page.queues.length && i < first + count; i++) {
    box.appendChild(homeButton(page.queues[i]));
  }
  const names = box.getElementsByClassName('queue-name');
  for (let i = 0; i < names.length; i++) {
    balance(names[i] as HTMLElement);
  }
  text(byId('ask'), page.queues.length === 1 ? '请按下面取号' : '请选择要办理的业务');
  show(byId('pager'), pages > 1);
  mark(byId('home'), 'home-pages', pages > 1);
  text(byId('page-text'), '第 ' + (Math.floor(first / count) + 1) + ' 页，共 ' + pages + ' 页');
  byId<HTMLButtonElement>('page-back').disabled = first === 0;
  byId<HTMLButtonElement>('page-next').disabled = first + count >= page.queues.length;
  drawNotice();
}

/** Whether a reader of this kiosk has failed. */
function broken(role: string): boolean {
  const name = page.as + '.' + role;
  return !!hall && !!find(hall.health, function (c) { return c.subject === name && c.severity === 'error'; });
}

function homeButton(q: QueueSetup): HTMLElement {
  const b = queueButton(q, queueNow(q.id), q.identity === 'required' && !identity, function (): void { press(q); });
  b.disabled = !live;
  return b;
}

/** What is wrong with this kiosk's printer, or null. A nearly empty roll is no reason to worry citizens. */
function printerTrouble(): Condition | null {
  return hall ? find(hall.health, function (c) {
    return (c.subject || '').slice(-8) === '.printer' && c.severity === 'error';
  }) : null;
}

const noSlip: { [code: string]: string } = {
  device_paper_out: '打印机缺纸，暂时打不出小票', printer_missing: '这台机器不打印小票'
};

function drawNotice(): void {
  const trouble = printerTrouble();
  show(byId('notice'), !!trouble);
  mark(byId('home'), 'home-trouble', !!trouble);
  if (trouble) {
    phrases(byId('notice-title'), noSlip[trouble.code] || '打印机有故障，暂时打不出小票');
  }
}

// ---- taking a number ----

function press(q: QueueSetup): void {
  if (view !== 'home' && view !== 'card' || !live) {
    return;
  }
  wanted = q;
  if (q.identity === 'required' && !identity) {
    askIdentity(q.name, page.reads);
    go('card');
    return;
  }
  take(q);
}

function take(q: QueueSetup): void {
  const mine = visit;
  go('issuing');
  const body: { [key: string]: string } = { queue: q.id, channel: 'kiosk' };
  if (identity) {
    body.identity = identity;
  }
  identity = '';
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets', as: page.as, body: body }, 15000,
    function (problem, answer): void {
      if (mine !== visit) {
        return;
      }
      wanted = null;
      if (problem || !answer) {
        message('没有取到号', problem ? sentence(problem) : '请再试一次。');
        return;
      }
      result(answer.ticket, q);
    });
}

function result(t: Ticket, q: QueueSetup): void {
  shown = t;
  text(byId('result-queue'), q.name);
  text(byId('result-number'), t.number);
  text(byId('result-ahead'), t.ahead + ' 人');
  const wait = waitText(t.wait);
  show(byId('result-wait-box'), wait !== '');
  text(byId('result-wait'), wait.replace(/^约 /, ''));
  text(byId('result-windows'), q.windows || '请看屏幕');
  paper('printing', t.id);
  go('result');
  watchPaper(t.id, visit, Date.now() + paperMS);
}

function paper(state: 'printing' | 'printed' | 'failed', id: string): void {
  const box = byId('paper');
  box.className = 'paper' + (state === 'printed' ? ' paper-done' : state === 'failed' ? ' paper-bad' : '');
  phrases(byId('paper-text'), state === 'printed' ? '请取走您的小票' : state === 'failed' ? '小票没有打印出来，号码有效' : '正在打印小票…');
  show(byId('paper-fail'), state === 'failed');
  if (state === 'failed') {
    byId<HTMLImageElement>('paper-code').src = '/api/v1/tickets/' + id + '/qr?as=' + page.as;
  }
}

/** Success is only what the printer said. */
function watchPaper(id: string, mine: number, until: number): void {
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (problem, answer): void {
    if (mine !== visit || view !== 'result' || !shown || shown.id !== id) {
      return;
    }
    const print = problem || !answer ? 'pending' : answer.ticket.print;
    if (print === 'printed') {
      paper('printed', id);
      touch();
      return;
    }
    if (print === 'failed' || print === 'none' || Date.now() > until) {
      paper('failed', id);
      touch();
      return;
    }
    left = Math.max(left, stays.result); // the time starts when the slip is out
    window.setTimeout(function (): void {
      watchPaper(id, mine, until);
    }, 400);
  });
}

// ---- what is shown to the kiosk ----

function onInput(input: Input): void {
  if (view === 'issuing') {
    return;
  }
  const slower = elder ? elderStays : 1;
  if (input.kind === 'unreadable') {
    tellSentence(input.detail || '', slower);
    return;
  }
  if (input.kind === 'refused') {
    tellTrouble('这个码不能用', input.detail || '请换一个码再试。', slower);
    return;
  }
  if (input.kind === 'idcard_no') {
    tellTrouble('请刷身份证原件', '扫身份证号码不能核对身份，请把身份证放在读卡区。', slower);
    return;
  }
  forgetTrouble();
  if (input.ticket) {
    mine(input.ticket);
    return;
  }
  if (!input.identity) {
    return;
  }
  if (view === 'result' || view === 'mine') { // somebody else has stepped up
    visit++;
    wanted = null;
  }
  identity = input.identity;
  if (wanted && view === 'card') {
    take(wanted);
    return;
  }
  const how: { [kind: string]: string } = { idcard: '身份证已核对', yss_code: '粤省事码已核对', ysh_code: '粤商码已核对' };
  phrases(byId('known-text'), (how[input.kind] || '身份已核对') + '，请选择业务');
  go('home');
  drawHome();
}

// ---- a citizen's own ticket ----

function mine(id: string): void {
  const at = ++visit;
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (problem, answer): void {
    if (at !== visit) {
      return;
    }
    if (problem || !answer) {
      message('没有找到这个号', problem ? sentence(problem) : '');
      return;
    }
    text(byId('mine-say'), '');
    mark(byId('mine-say'), 'mine-say-bad', false);
    drawMine(answer.ticket);
    go('mine');
  });
}

function drawMine(t: Ticket): void {
  shown = t;
  const q = find(page.queues, function (x) { return x.id === t.queue; });
  text(byId('mine-queue'), q ? q.name : '');
  text(byId('mine-number'), t.number);
  text(byId('mine-state'), stateName(t.state) + (t.window ? ' · ' + t.window + ' 号窗口' : ''));
  show(byId('mine-facts'), t.state === 'waiting');
  text(byId('mine-ahead'), t.ahead + ' 人');
  const wait = waitText(t.wait);
  show(byId('mine-wait-box'), wait !== '');
  text(byId('mine-wait'), wait.replace(/^约 /, ''));
  text(byId('mine-windows'), q && q.windows || '请看屏幕');
  const box = byId('mine-actions');
  empty(box);
  const act = function (label: string, className: string, verb: string, said: string): void {
    box.appendChild(button(className, label, function (): void {
      mend(t.id, verb, said);
    }));
  };
  if (t.state === 'passed') {
    act('重新排队', 'btn btn-main', 'requeue', '已重新排队，请继续等候。');
  }
  if (t.state === 'waiting' || t.state === 'passed' || t.state === 'called' || t.state === 'serving' || t.state === 'held') {
    act('补打小票', 'btn', 'reprint', '正在补打，请取走您的小票。');
  }
  if (t.state === 'waiting' || t.state === 'passed') {
    box.appendChild(button('btn btn-bad', '取消排队', function (): void {
      confirmWithdraw(t);
    }));
  }
}

/** Giving up a place is asked for twice. */
function confirmWithdraw(t: Ticket): void {
  const box = byId('mine-actions');
  empty(box);
  phrases(byId('mine-say'), '取消后 ' + t.number + ' 号作废，确定吗？');
  mark(byId('mine-say'), 'mine-say-bad', true);
  box.appendChild(button('btn btn-bad', '确定取消', function (): void {
    mend(t.id, 'withdraw', '已取消排队。');
  }));
  box.appendChild(button('btn', '不取消', function (): void {
    text(byId('mine-say'), '');
    drawMine(t);
  }));
}

function mend(id: string, verb: string, said: string): void {
  const at = visit;
  const buttons = byId('mine-actions').getElementsByTagName('button');
  for (let i = 0; i < buttons.length; i++) {
    buttons[i].disabled = true;
  }
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + id + '/' + verb, as: page.as }, 10000,
    function (problem: Problem | null, answer): void {
      if (at !== visit) {
        return;
      }
      phrases(byId('mine-say'), problem ? sentence(problem) : said);
      mark(byId('mine-say'), 'mine-say-bad', !!problem);
      drawMine(answer ? answer.ticket : shown as Ticket);
      touch();
    });
}

function message(title: string, say: string): void {
  phrases(byId('message-title'), title);
  phrases(byId('message-text'), say);
  go('message');
}

// ---- the hall ----

function onHall(next: Hall): void {
  hall = next;
  if (view === 'home') {
    refreshHome();
  }
}

let drawn = '';

/** Draws the home view again only if what it shows has changed: a button must not be replaced under a finger. */
function refreshHome(): void {
  const now = JSON.stringify([hall ? hall.queues : null, hall ? hall.health : null, live]);
  if (now !== drawn) {
    drawn = now;
    drawHome();
  }
}

function onLive(is: boolean): void {
  live = is;
  show(byId('stale'), !is && view !== 'result');
  if (view === 'home') {
    refreshHome();
  }
}

function main(): void {
  const actions: { [id: string]: () => void } = {
    'page-back': function () { first = Math.max(0, first - (elder ? perElderPage : perPage)); drawHome(); touch(); },
    'page-next': function () { first += elder ? perElderPage : perPage; drawHome(); touch(); },
    'elder': function () { setElder(!elder); first = 0; drawHome(); touch(); },
    'way-card': function () { explainReader('idcard'); go('card'); }, 'way-code': function () { explainReader('scanner'); go('card'); },
    'known-end': end, 'card-back': end, 'result-end': end, 'mine-back': end, 'message-back': end,
    'result-stay': touch, 'still-go': touch
  };
  for (const id in actions) {
    byId(id).addEventListener('click', actions[id]);
  }
  document.addEventListener('click', function (): void {
    forgetTrouble();
    if (left > 0 && view !== 'message') {
      touch();
    }
  });
  touchOnly();
  go('home');
  drawHome();
  everySecond(tick);
  follow(page.as, page.version, function (): void { /* the stream tells whether the hall is reached */ }, function (): void {
    outdated = true;
    if (view === 'home' && !identity) {
      window.location.reload();
    }
  });
  listen({
    as: page.as, onHall: onHall, onInput: onInput, onLive: onLive,
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
