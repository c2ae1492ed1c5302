// A ticket that somebody asks about: found by its number, its slip's code or a picture of it, and what can be done with it.

import { clockOf } from '../lib/clock';
import { button, byId, empty, make, text } from '../lib/dom';
import { Booking, Ticket, classTag, stateName } from '../lib/hall';
import { Problem, command, newKey, request, sentence } from '../lib/http';
import { choices, closeSheet, sheet } from '../lib/sheet';
import { Named, classes, desk, page, queueName } from './state';
import { priorityReasons, setPerson } from './issue';

let shown: Ticket | null = null;
let said = ''; // beside it
let asking = false; // whether it shall really be withdrawn
let drawnPassed = '';

/** The answer of POST /api/v1/scans. */
interface Scanned {
  kind: string; ticket?: Ticket; identity?: string; waiting?: string[]; bookings?: Booking[]; appointment?: Booking & { state: string };
}

const slips: { [print: string]: string } = { pending: '小票等待打印', printing: '小票正在打印', printed: '小票已打印', failed: '小票没有打出来', none: '没有小票' };
/** Why a number gets another class; each class has reasons of its own. */
const classReasons: { [to: string]: string[] } = {
  normal: ['选错更正', '群众要求'], elder: ['老年人', '残疾人', '孕产妇', '带婴幼儿', '选错更正'], priority: priorityReasons.concat(['选错更正'])
};

export function drawFound(t: Ticket | null, words: string): void {
  shown = t;
  said = words;
  asking = false;
  const box = byId('found');
  empty(box);
  if (!t) {
    if (words) {
      box.appendChild(make('p', 'ticket', words));
    }
    return;
  }
  const tag = classTag(t['class']);
  const top = make('div', 'ticket-top', undefined, [make('b', 'num', t.number), make('span', '', stateName(t.state) + (t.window ? ' · ' + t.window + ' 号窗口' : ''))]);
  const facts = make('p', 'num', queueName(t.queue) + (tag ? ' · ' + tag : '') + ' · ' + clockOf(t.taken_at) + ' 取号' +
    (t.state === 'waiting' ? ' · 前面 ' + t.ahead + ' 人' : ''));
  const paper = make('p', t.print === 'failed' ? 'ticket-bad' : '', slips[t.print] + (t.reprints > 0 ? '（补打 ' + t.reprints + ' 次）' : ''));
  box.appendChild(make('div', 'ticket', undefined, [top, facts, paper, make('p', 'ticket-words', words), actions(t)]));
}

function actions(t: Ticket): HTMLElement {
  const acts = make('div', 'acts');
  const waits = t.state === 'waiting' || t.state === 'passed';
  if (t.state === 'passed') {
    acts.appendChild(button('btn btn-main', '重新排队', function (): void { mend(t, 'requeue', '已重新排队'); }));
  }
  if (waits || t.state === 'called' || t.state === 'serving' || t.state === 'held') {
    acts.appendChild(button('btn', '补打小票', function (): void { mend(t, 'reprint', '正在补打'); }));
  }
  if (waits) {
    acts.appendChild(button('btn', '改类别', function (): void { askClass(t); }));
    acts.appendChild(button('btn btn-bad', '退号', function (): void { askWithdraw(acts, t); }));
  }
  return acts;
}

function askWithdraw(acts: HTMLElement, t: Ticket): void {
  empty(acts);
  asking = true;
  acts.appendChild(button('btn btn-bad', '确定退号', function (): void { mend(t, 'withdraw', '已退号'); }));
  acts.appendChild(button('btn', '不退', function (): void { drawFound(t, ''); }));
}

/** Another class for a number that was taken already, with who answers for it. */
function askClass(t: Ticket): void {
  let to = '';
  let reason = '';
  const why = make('div', 'why-class');
  const go = button('btn btn-main', '确定', function (): void {
    closeSheet();
    mend(t, 'class', '已改为' + (classTag(to) || '普通'), { 'class': to, reason: reason });
  });
  const ready = function (): void { go.disabled = to === '' || reason === ''; };
  ready();
  const others: Named[] = [];
  for (let i = 0; i < classes.length; i++) {
    if (classes[i].id !== t['class']) {
      others.push({ id: classes[i].id, name: '改为' + classes[i].name });
    }
  }
  sheet('改类别 ' + t.number, [
    make('h3', '', '类别'), choices('类别', others, '', function (id: string): void {
      to = id;
      reason = '';
      empty(why);
      why.appendChild(choices('原因', classReasons[id].map(function (r): Named { return { id: r, name: r }; }), '', function (r): void { reason = r; ready(); }));
      ready();
    }),
    make('h3', '', '原因（会记入日志）'), why
  ], [go], '取消');
}

export function mend(t: Ticket, verb: string, words: string, body?: unknown): void {
  if (desk.busy || !desk.live) {
    return;
  }
  desk.busy = true;
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + t.id + '/' + verb, as: page.as, body: body }, 10000, function (problem, answer): void {
    desk.busy = false;
    drawFound(answer ? answer.ticket : t, problem ? sentence(problem) : words);
    drawPassed();
  });
}

/** Looks for what was typed, or sent by a scanner that types: a number, or the code of a slip, a booking or a person. */
export function look(typed: string): void {
  const plain = typed.replace(/\s/g, '').toUpperCase();
  const number = /^([A-Z]{1,3})(\d{1,5})$/.exec(plain);
  if (number) {
    byNumber(number[1] + (number[2].length < 3 ? ('00' + number[2]).slice(-3) : number[2]));
  } else if (/^\d{1,5}$/.test(plain)) {
    drawFound(null, '请带上号码前面的字母，如 A012');
  } else if (plain) {
    scan(JSON.stringify({ payload: typed.replace(/^\s+|\s+$/g, '') }), 'application/json');
  }
}

function byNumber(number: string): void {
  request<{ items: Ticket[] }>({ method: 'GET', path: '/api/v1/tickets?limit=1&number=' + encodeURIComponent(number), as: page.as }, function (problem, answer): void {
    const t = answer && answer.items.length > 0 ? answer.items[0] : null;
    drawFound(t, problem ? sentence(problem) : t ? '' : '今天没有这个号');
  });
}

/** Has the hall tell what a code is: its text, or a picture of it. */
export function scan(body: string | Blob, type: string): void {
  const xhr = new XMLHttpRequest();
  xhr.open('POST', '/api/v1/scans?as=' + encodeURIComponent(page.as), true);
  xhr.setRequestHeader('Content-Type', type);
  xhr.setRequestHeader('Idempotency-Key', newKey());
  xhr.timeout = 15000;
  drawFound(null, '正在识别…');
  xhr.onload = function (): void {
    let answer: unknown = null;
    try {
      answer = JSON.parse(xhr.responseText);
    } catch (_) {
      answer = null;
    }
    if (xhr.status === 200 && answer) {
      recognised(answer as Scanned);
    } else {
      const problem = answer as Problem | null;
      drawFound(null, problem && problem.code ? sentence(problem) : '没有认出来，请再试一次。');
    }
  };
  xhr.onerror = xhr.ontimeout = function (): void { drawFound(null, '连不上大厅服务器，请稍候再试。'); };
  xhr.send(body);
}

function recognised(s: Scanned): void {
  if (s.ticket) {
    drawFound(s.ticket, '');
    return;
  }
  drawFound(null, '');
  if (s.appointment) {
    if (s.appointment.state === 'booked') {
      setPerson({ identity: '', bookings: [s.appointment], waiting: [], words: '读到预约码' });
    } else {
      drawFound(null, '这个预约已经用过或取消');
    }
  } else if (s.identity) {
    setPerson({ identity: s.identity, bookings: s.bookings || [], waiting: s.waiting || [], words: '身份已核验，请点业务取号' });
  } else {
    drawFound(null, '请让群众刷身份证');
  }
}

const pictureSide = 1600; // px; the cameras of tablets take far more than a code needs

/** Makes a photo small enough to send, where the browser can, and sends it. */
export function photo(file: File): void {
  const whole = function (): void { scan(file, file.type); };
  if (!window.createImageBitmap) {
    whole();
    return;
  }
  window.createImageBitmap(file).then(function (image): void {
    const scale = Math.min(1, pictureSide / Math.max(image.width, image.height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(image.width * scale);
    canvas.height = Math.round(image.height * scale);
    const pen = canvas.getContext('2d');
    if (!pen) {
      whole();
      return;
    }
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    scan(bytesOf(canvas.toDataURL('image/jpeg', 0.85)), 'image/jpeg');
  }, whole);
}

function bytesOf(dataURL: string): Blob {
  const raw = window.atob(dataURL.slice(dataURL.indexOf(',') + 1));
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    bytes[i] = raw.charCodeAt(i);
  }
  return new Blob([bytes], { type: 'image/jpeg' });
}

export function drawPassed(): void {
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
        button('btn', '重新排队', function (): void { mend(t, 'requeue', '已重新排队'); }, '重新排队 ' + t.number)
      ]));
    }
    if (answer.items.length === 0) {
      box.appendChild(make('li', 'none', '没有过号'));
    }
  });
}

/** Follows the ticket that is shown while the hall goes on. */
export function refresh(): void {
  const was = shown;
  if (!was || desk.busy || asking) {
    return;
  }
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + was.id, as: page.as }, function (_, answer): void {
    const now = answer && answer.ticket;
    if (now && shown === was && !asking && JSON.stringify(now) !== JSON.stringify(was)) {
      drawFound(now, now.state === was.state && now.print === was.print ? said : '');
    }
  });
}
