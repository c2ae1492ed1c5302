// 好差评: five grades, once for a finished ticket. A tablet stands at a window and asks about the ticket that was finished there
// last, until the window calls somebody else; a phone comes with the token of its slip. Nobody answered is a fact of its own,
// 未评价, never a grade. By fingers, or by the keys 1 to 5.

import { follow } from './lib/clock';
import { byId, button, empty, make, mark, phrases, setup, show, text, touchOnly } from './lib/dom';
import { Hall, Input, Ticket, find } from './lib/hall';
import { command, request, sentence } from './lib/http';
import { listen } from './lib/live';
import { face, faults, firstBad, grades } from './rate/faces';

interface Setup { as: string; version: string; window?: string; token?: string; ticket?: string; }

/** What the tablet of a window should show. */
interface Asked { ticket: Ticket | null; matter: string; staff: string | null; state: string; }

const page = setup<Setup>();
const views = ['idle', 'ask', 'more', 'thanks'];
/** Seconds a question stays unanswered, and what was wrong. */
const patience = 30;
const patienceMore = 60;
/** How long the thanks stay. */
const thanksMS = 5000;
/** A press is sent for so long when the hall is not reached. */
const sendMS = 10 * 60 * 1000;

let view = 'idle';
let asking: Ticket | null = null;
let grade = '';
let chosen: { [reason: string]: boolean } = {};
let answered: { [ticket: string]: boolean } = {};
let sending = 0; // presses on their way
let left = 0;
let before = '';
let live = true;
let again = ''; // the ticket that the window asked to be asked about once more

function go(to: string): void {
  view = to;
  for (let i = 0; i < views.length; i++) {
    show(byId(views[i]), views[i] === to);
  }
}

function ask(t: Ticket, matter: string, staff: string | null): void {
  asking = t;
  grade = '';
  forgetWords();
  left = page.token ? 0 : patience;
  text(byId('ask-number'), t.number + ' 号');
  text(byId('ask-matter'), matter + (staff ? '　工号 ' + staff + ' 为您服务' : ''));
  showLeft();
  go('ask');
}

/** Looks whether there is a ticket to ask about. */
function look(): void {
  const path = '/api/v1/windows/' + page.window + '/rating' + (again ? '?again=1' : '');
  request<Asked>({ method: 'GET', path: path, as: page.as }, function (_, answer): void {
    if (!answer) {
      return; // the stream tells when the hall is back
    }
    const t = answer.ticket;
    if (!t) {
      idle(answer);
    }
    if (t && !answered[t.id]) {
      if (!asking || asking.id !== t.id) {
        end('next_call');
        ask(t, answer.matter, answer.staff);
      }
    } else if (asking) { // rated on the phone, or the next one has been called
      end('next_call');
    }
  });
}

/** The clerk asks for a rating: who did not answer in time is asked once more, and who is being asked has the whole time again. */
function onInput(input: Input): void {
  if (input.kind !== 'rating' || !input.ticket) {
    return;
  }
  if (asking && asking.id === input.ticket) {
    left = view === 'more' ? patienceMore : patience;
    showLeft();
    return;
  }
  again = input.ticket;
  delete answered[again];
  look();
}

/** What the tablet shows while there is nothing to ask: where this is and who works there. */
function idle(a: Asked): void {
  const open = a.state === 'open';
  text(byId('idle-staff'), open && a.staff ? '工号 ' + a.staff + ' 为您服务' : '');
  show(byId('idle-staff'), open && !!a.staff);
  text(byId('idle-text'), open ? '办完以后，请您评价' : a.state === 'paused' ? '暂停服务' : '窗口未开');
}

/** The same on a phone, for the own ticket. */
function lookOwn(): void {
  request<{ ticket: Ticket; rated: boolean; queue_name: string }>(
    { method: 'GET', path: '/api/v1/tickets/' + page.ticket, as: '', token: page.token }, function (problem, answer): void {
      if (answer && answer.ticket.state === 'done' && !answer.rated) {
        ask(answer.ticket, answer.queue_name, null);
      } else {
        text(byId('idle-text'), answer ? (answer.rated ? '已经评价过了，谢谢' : '办完以后再来评价') : problem ? sentence(problem) : '');
        go('idle');
      }
    });
}

/** What was said goes with one grade of one citizen, and with no other. */
function forgetWords(): void {
  chosen = {};
  byId<HTMLTextAreaElement>('words').value = '';
}

function choose(index: number): void {
  if (!asking) {
    return;
  }
  grade = grades[index].id;
  forgetWords();
  if (index < firstBad) {
    send();
    return;
  }
  left = page.token ? 0 : patienceMore;
  drawFaults();
  phrases(byId('more-title'), '您选择了“' + grades[index].name + '”，请告诉我们哪里没有做好');
  ready();
  showLeft();
  go('more');
}

function drawFaults(): void {
  const box = byId('reasons');
  empty(box);
  for (let i = 0; i < faults.length; i++) {
    const b = button('btn', '', function (): void { press(i); });
    b.appendChild(make('i', 'key', '' + (i + 1)));
    b.appendChild(make('span', '', faults[i]));
    b.setAttribute('aria-pressed', 'false');
    b.setAttribute('aria-label', faults[i]);
    box.appendChild(b);
  }
}

function press(index: number): void {
  const b = byId('reasons').children[index] as HTMLElement;
  const on = !chosen[faults[index]];
  chosen[faults[index]] = on;
  mark(b, 'btn-on', on);
  b.setAttribute('aria-pressed', on ? 'true' : 'false');
  ready();
}

/** A bad grade goes with a reason: one press is enough. */
function ready(): void {
  const any = reasons().length > 0 || byId<HTMLTextAreaElement>('words').value.trim() !== '';
  byId<HTMLButtonElement>('more-send').disabled = !any;
  text(byId('more-hint'), any ? '' : '请至少选一项');
  left = page.token || left === 0 ? left : patienceMore;
}

function reasons(): string[] {
  const out: string[] = [];
  for (let i = 0; i < faults.length; i++) {
    if (chosen[faults[i]]) {
      out.push(faults[i]);
    }
  }
  return out;
}

function send(): void {
  const t = asking;
  if (!t) {
    return;
  }
  const body = { ticket: t.id, grade: grade, reasons: reasons(), text: byId<HTMLTextAreaElement>('words').value };
  leave(t);
  sending++;
  text(byId('thanks-text'), live ? '正在提交…' : '已经记下，连上后自动提交');
  go('thanks');
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/ratings', as: page.as, token: page.token, body: body }, sendMS,
    function (problem): void {
      sending--;
      if (view === 'thanks') {
        text(byId('thanks-text'), problem ? sentence(problem) : '感谢您的评价');
      }
      if (!page.token) {
        look();
      }
    });
  if (!page.token) {
    window.setTimeout(function (): void {
      if (view === 'thanks' && !asking) {
        go('idle');
      }
    }, thanksMS);
  }
}

/** Has done with a ticket. */
function leave(t: Ticket): void {
  answered[t.id] = true;
  again = '';
  asking = null;
  left = 0;
  showLeft();
}

/** Ends a question: a grade that was pressed counts, also without a reason; else nobody rated. */
function end(why: string): void {
  const t = asking;
  if (!t) {
    return;
  }
  if (view === 'more') {
    send();
    return;
  }
  leave(t);
  go('idle');
  sending++;
  command<unknown>({ method: 'POST', path: '/api/v1/tickets/' + t.id + '/unrated', as: page.as, body: { why: why } }, sendMS,
    function (): void { // a refusal says that it was rated elsewhere
      sending--;
      look();
    });
}

function tick(): void {
  if (left > 0) {
    left--;
    if (left === 0) {
      end('timeout');
    }
  }
  showLeft();
}

function showLeft(): void {
  const words = left > 0 ? left + ' 秒后结束' : '';
  text(byId('count'), words);
  text(byId('more-count'), view === 'more' || grade ? words : '');
}

/** A keypad at the window: 1 to 5 are the grades, then 1 to 6 the reasons; Enter sends, Escape goes back. */
function onKey(e: KeyboardEvent): void {
  if (e.ctrlKey || e.altKey || e.metaKey || (e.target as HTMLElement).tagName === 'TEXTAREA') {
    return;
  }
  const digit = e.keyCode >= 97 && e.keyCode <= 105 ? e.keyCode - 97 : e.keyCode >= 49 && e.keyCode <= 57 ? e.keyCode - 49 : -1;
  mark(document.body, 'keyed', true);
  if (view === 'ask' && digit >= 0 && digit < grades.length) {
    choose(digit);
  } else if (view === 'more' && digit >= 0 && digit < faults.length) {
    press(digit);
  } else if (view === 'more' && e.keyCode === 27) {
    back();
  } else if (view === 'more' && e.keyCode === 13 && !byId<HTMLButtonElement>('more-send').disabled
    && (e.target as HTMLElement).tagName !== 'BUTTON') {
    send();
  } else {
    return;
  }
  e.preventDefault();
}

function back(): void {
  left = page.token ? 0 : patience;
  grade = '';
  showLeft();
  go('ask');
}

function build(): void {
  const box = byId('grades');
  for (let i = 0; i < grades.length; i++) {
    const b = button('grade grade-' + i, '', function (): void { choose(i); }, grades[i].name);
    b.appendChild(make('i', 'key', '' + (i + 1)));
    b.appendChild(face(grades[i].mouth));
    b.appendChild(make('span', '', grades[i].name));
    box.appendChild(b);
  }
  byId('more-back').addEventListener('click', back);
  byId('more-send').addEventListener('click', send);
  byId('words').addEventListener('input', ready);
  document.addEventListener('keydown', onKey);
  window.setInterval(tick, 1000);
}

function main(): void {
  build();
  if (page.token) {
    lookOwn();
    return;
  }
  touchOnly();
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void {
    if (!asking && sending === 0) {
      window.location.reload();
    }
  });
  listen({
    as: page.as,
    onHall: function (hall: Hall): void {
      const now = JSON.stringify(find(hall.windows, function (w) { return w.id === page.window; }));
      if (now !== before) { // something happened at this window
        before = now;
        look();
      }
    },
    onInput: onInput,
    onLive: function (is: boolean): void {
      show(byId('badge'), !is);
      text(byId('badge'), is ? '' : '正在重连');
      live = is;
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

main();
