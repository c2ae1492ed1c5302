// Verbs on their way to the hall. 办结 and 弃号 wait three seconds in the page, so that a slip of the finger can be taken back before
// anybody else sees it; whatever is pressed next, and closing the page, sends them at once.

import { empty, byId } from '../lib/dom';
import { HallWindow, Ticket, Why, find, stateName } from '../lib/hall';
import { Problem, Request, command, farewell, keepKeys } from '../lib/http';
import { askReason } from '../lib/sheet';
import { desk, page, queueName, ticket } from './desk';
import { act, add, complain, say } from './say';

interface Answer { window: HallWindow; ticket: Ticket | null; why: Why | null; }

interface Body { [key: string]: unknown; }

const undoMS = 3000;
const patienceMS = 8000;
const slowMS = 1200; // from then on the clerk is told that there is no answer yet
const againMS = 2 * 60 * 1000;

const keys = keepKeys(againMS);

let seen = ''; // what the hall told last of this window
let count = 0; // timer of a ticket that leaves
let flying: Request | null = null; // a leaving ticket's command that is not answered yet
let offer = 0; // timer of the offer to undo

function order(verb: string, body: Body): Request {
  const r: Request = { method: 'POST', path: '/api/v1/windows/' + page.window + '/' + verb, as: page.as, body: body };
  r.key = keys.of(r);
  return r;
}

/** Has the tablet of this window ask for a rating, which the citizen did not give before the question ended. */
export function askRating(): void {
  release(function (): void {
    const wait = begin('rate');
    command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/windows/' + page.window + '/ask-rating', as: page.as }, patienceMS,
      function (problem: Problem | null, answer: { ticket: Ticket } | null): void {
        if (answer) {
          say('good', '已请 ' + answer.ticket.number + ' 评价');
        } else {
          complain(problem);
        }
        end(wait);
      });
  });
}

/** Sends a verb; id is the button that is busy meanwhile. */
export function send(id: string, verb: string, body?: Body): void {
  if (desk.busy) {
    return;
  }
  if (desk.leaving) {
    release(function (): void { send(id, verb, body); });
    return;
  }
  withdrawOffer();
  const before = ticket();
  if (verb === 'call-next') { // finishes what this page shows, and nothing else
    body = { holds: before ? before.id : '' };
  }
  run(id, verb, order(verb, body || {}), function (problem, answer): void {
    if (problem || !answer) {
      refused(problem, before, id, verb, body);
    } else {
      said(verb, answer, before);
    }
  });
}

/** Runs a command and takes over what the hall answers. */
function run(id: string, verb: string, r: Request, done: (problem: Problem | null, answer: Answer | null) => void): void {
  const seq = desk.hall ? desk.hall.seq : 0;
  const wait = begin(id);
  command<Answer>(r, patienceMS, function (problem: Problem | null, answer: Answer | null): void {
    desk.busy = '';
    keys.answered(r, problem);
    if (answer && (!desk.hall || desk.hall.seq === seq)) { // else the stream has told something newer
      desk.mine = answer.window;
      desk.why = answer.why || (verb === 'call-next' ? null : desk.why);
    }
    done(problem, answer);
    end(wait);
  });
}

/** A command is on its way: buttons wait, and the clerk is told if it takes long. */
export function begin(id: string): number {
  desk.busy = id;
  desk.late = null;
  desk.draw();
  return window.setTimeout(function (): void { say('warn', '还没有收到大厅的答复，正在重试…'); }, slowMS);
}

/** The answer is on the line. What was pressed meanwhile is done now, or the line says that it was not. */
export function end(wait: number): void {
  const late = desk.late;
  window.clearTimeout(wait);
  desk.busy = '';
  desk.late = null;
  if (late && !late.go()) {
    add('　“' + late.name + '”按得太早，没有执行。');
  }
  desk.draw();
}

/** Tells that another hand, such as the pad's, was quicker with a ticket. Gives false if that is not why the hall refused. */
function dealtWith(problem: Problem | null, t: Ticket | null, body?: Body): boolean {
  const other = !!problem && (problem.code === 'ticket_state' && !!t && problem.state !== t.state || problem.code === 'ticket_other_window');
  if (!problem || !other || !t || !body || body.ticket !== t.id) {
    return false;
  }
  say('warn', t.number + ' 已由别处处理，现在是“' + stateName(problem.state || '') + '”。这一次没有操作。');
  return true;
}

function refused(problem: Problem | null, t: Ticket | null, id: string, verb: string, body?: Body): void {
  if (problem && problem.code === 'reason_required' && body && !body.reason) {
    askReason('请说明原因', ['群众刚回到窗口', '特殊情况照顾', '主管同意'], function (reason: string): void {
      body.reason = reason;
      send(id, verb, body);
    });
    return;
  }
  if (!dealtWith(problem, t, body)) {
    complain(problem);
  }
}

// ---- 办结 and 弃号 ----

const leavingWords: { [verb: string]: string } = { finish: '办结', abandon: '弃号' };

/** Lets a ticket, which must be the window's, go in three seconds, unless that is taken back. */
export function leave(verb: 'finish' | 'abandon', t: Ticket, body: Body): void {
  const mine = ticket();
  if (desk.busy || !mine || mine.id !== t.id) {
    return;
  }
  withdrawOffer();
  body.ticket = t.id;
  desk.leaving = { verb: verb, ticket: t, body: body, until: Date.now() + undoMS };
  say('warn', leavingText());
  act('撤销 Ctrl+Z', takeBack);
  const beat = function (): void {
    if (!desk.leaving) {
      return;
    }
    if (Date.now() >= desk.leaving.until) {
      release();
      return;
    }
    byId('say-text').textContent = leavingText();
    count = window.setTimeout(beat, 100);
  };
  beat();
  desk.draw();
}

function leavingText(): string {
  const l = desk.leaving;
  return l ? leavingWords[l.verb] + ' ' + l.ticket.number + '，' + Math.max(1, Math.ceil((l.until - Date.now()) / 1000)) + ' 秒后生效' : '';
}

export function takeBack(): void {
  const l = desk.leaving;
  if (l) {
    settle();
    say('good', '已撤销，' + l.ticket.number + ' 还在本窗口');
    desk.draw();
  }
}

function settle(): void {
  window.clearTimeout(count);
  desk.leaving = null;
}

/** Sends what was about to leave at once; then goes on, unless the hall refused it. */
export function release(then?: () => void): void {
  const l = desk.leaving;
  if (!l) {
    if (then) {
      then();
    }
    return;
  }
  settle();
  const r = order(l.verb, l.body);
  flying = r;
  run(l.verb, l.verb, r, function (problem, answer): void {
    flying = null;
    if (problem || !answer) {
      if (!dealtWith(problem, l.ticket, l.body)) {
        complain(problem);
      }
      return;
    }
    said(l.verb, answer, l.ticket);
    if (then) {
      window.setTimeout(then, 0); // once this one is over
    }
  });
}

/** The hall told something new: another hand, such as the pad's, may have dealt with the ticket that was about to leave. */
export function check(): void {
  const l = desk.leaving;
  const t = desk.mine ? desk.mine.ticket : null;
  const call = t && desk.hall ? find(desk.hall.calls, function (c) { return c.number === t.number; }) : null;
  const next = JSON.stringify(desk.mine && [desk.mine.state, desk.mine.since, t && [t.id, t.state], call && call.times]);
  if (next !== seen) { // a press that was not answered has come to something, or to nothing any more
    seen = next;
    keys.forget();
  }
  if (l && (!t || t.id !== l.ticket.id)) {
    settle();
    say('', '');
  }
}

/** The page is going away: what waits in it must not be lost. Under its key it happens once. */
export function goodbye(): void {
  const l = desk.leaving;
  if (l) {
    settle();
    farewell(order(l.verb, l.body));
  } else if (flying) {
    farewell(flying);
  }
}

// ---- what it came to ----

function said(verb: string, a: Answer, before: Ticket | null): void {
  const t = a.ticket;
  const number = t ? t.number : '';
  switch (verb) {
    case 'call-next':
      if (t) {
        say('good', '请 ' + number + ' 号' + (before ? '；' + before.number + ' 已办结' : ''));
      } else {
        say('warn', (before ? before.number + ' 已办结。' : '') + '现在没有人等候。');
      }
      return;
    case 'finish':
      say('good', t && t.state === 'waiting' ? '这一项已办结，' + number + ' 去排 ' + queueName(t.queue) : '已办结 ' + number);
      return;
    case 'abandon': say('good', '已弃号 ' + number); return;
    case 'pass':
      say('good', '已过号 ' + number);
      if (t && t.state === 'passed') {
        offerUndo(t);
      }
      return;
    case 'recall': say('good', '已重呼 ' + number); return;
    case 'start': say('good', '开始办理 ' + number); return;
    case 'hold': say('good', '已挂起 ' + number); return;
    case 'transfer': say('good', '已转移 ' + number); return;
    case 'reopen': say('good', '已撤销，' + number + ' ' + stateName(t ? t.state : '')); return;
    case 'open': say('good', '已开窗'); return;
    case 'close': say('good', '已关窗'); return;
    case 'pause': say('warn', '已暂停服务'); return;
    case 'unpause': say('good', '已恢复服务'); return;
    default: say('good', t ? number + ' ' + stateName(t.state) : ''); return;
  }
}

/** 过号 is told to the hall at once, because people look at the screens; undoing it is a call again. */
function offerUndo(t: Ticket): void {
  act('撤销 Ctrl+Z', function (): void { send('undo', 'reopen', { ticket: t.id, reason: '误操作撤销' }); });
  offer = window.setTimeout(withdrawOffer, undoMS);
}

function withdrawOffer(): void {
  if (offer) {
    window.clearTimeout(offer);
    offer = 0;
    empty(byId('say-actions'));
  }
}

/** Reports whether something can be taken back now. */
export function undoable(): boolean {
  return !!desk.leaving || offer !== 0;
}
