// A citizen's own ticket, found by his card or by the code of his slip: where it stands, another copy of the slip, giving it up.

import { button, byId, empty, mark, phrases } from '../lib/dom';
import { Slip, Ticket } from '../lib/hall';
import { Problem, command } from '../lib/http';
import { sayAlso } from './aloud';
import { queueName } from './queue';
import { Refusal, whyRefused } from './refusal';
import { drawNumber, readTicket, slipSay, watchSlip } from './slip';
import { go, hold, nextVisitor, page, queueOf, shown, touch, visitor } from './stage';
import { stateSay, t, windowSay } from './words';

let ticket: Ticket | null = null;
let slip: Slip | null = null;
const nothing = function (): string { return ''; };
let lead = nothing; // what stands above the number
let said = nothing; // what came of the last press
let bad = false;
let asking = false; // whether to give the place up

/** Shows a ticket. why says in both languages why it is shown, onMissing runs if there is none. */
export function showOwn(id: string, why: (() => string) | undefined, onMissing: (why: () => Refusal) => void): void {
  const at = nextVisitor();
  readTicket(id, function (problem, answer): void {
    if (at !== visitor()) {
      return;
    }
    if (problem || !answer) {
      onMissing(function () { return { title: t('没有找到这个号', 'This number was not found'), say: problem ? whyRefused(problem, '', '').say : '' }; });
      return;
    }
    ticket = answer.ticket;
    slip = answer.slip;
    lead = why || nothing;
    const failed = slip && ticket.print === 'failed';
    tell(function () { return failed ? slipSay('failed', slip) : ''; }, false);
    asking = false;
    go('mine', draw);
  });
}

function tell(words: () => string, isBad: boolean): void {
  said = words;
  bad = isBad;
}

function draw(): void {
  const mine = ticket as Ticket;
  const q = queueOf(mine.queue);
  const state = stateSay(mine.state) + (mine.window ? ' · ' + windowSay(mine.window) : '');
  drawNumber('mine', mine, queueName(q), q.windows, lead(), state, '', false);
  const words = asking ? t('取消后 ' + mine.number + ' 号作废，确定吗？', 'Number ' + mine.number + ' will be void. Are you sure?') : said();
  phrases(byId('mine-say'), words);
  mark(byId('mine-say'), 'mine-say-bad', asking || bad);
  drawActions(mine);
}

function drawActions(mine: Ticket): void {
  const box = byId('mine-actions');
  empty(box);
  if (asking) { // giving up a place is asked for twice
    box.appendChild(button('btn btn-bad', t('确定取消', 'Yes, withdraw'), function (): void {
      mend('withdraw', function () { return t('已取消排队。', 'Your number was withdrawn.'); });
    }));
    box.appendChild(button('btn', t('不取消', 'No, keep it'), function (): void { ask(false); }));
    return;
  }
  if (mine.state === 'passed') {
    box.appendChild(button('btn btn-main', t('重新排队', 'Queue again'), function (): void {
      mend('requeue', function () { return t('已重新排队，请继续等候。', 'You are in the queue again.'); });
    }));
  }
  if (/^(waiting|passed|called|serving|held)$/.test(mine.state)) {
    const left = slip ? slip.left : null;
    const b = button('btn' + (mine.state === 'passed' ? '' : ' btn-main'), t('补打小票', 'Print slip again') + (left === null ? '' : t('（剩 ' + left + ' 次）', ' (' + left + ' left)')), function (): void {
      mend('reprint', function () { return t('正在补打小票…', 'Printing your slip…'); }, watch);
    });
    b.disabled = left === 0;
    box.appendChild(b);
  }
  if (mine.state === 'waiting' || mine.state === 'passed') {
    box.appendChild(button('btn btn-bad', t('取消排队', 'Withdraw'), function (): void { ask(true); }));
  }
}

function ask(on: boolean): void {
  asking = on;
  draw();
  sayAlso(on ? byId('mine-say').textContent || '' : '');
}

function problemSay(p: Problem): string {
  const r = whyRefused(p, '', '');
  return t(r.say || r.title, r.title + '. ' + r.say);
}

/** Follows another copy of the slip. */
function watch(): void {
  const at = visitor();
  let shownWords = '';
  watchSlip((ticket as Ticket).id, function (print, known, now): boolean {
    if (at !== visitor() || shown() !== 'mine') {
      return false;
    }
    const words = slipSay(print, known);
    if (words !== shownWords || now && known && slip && known.left !== slip.left) { // a button must not be replaced under a finger
      shownWords = words;
      slip = known;
      ticket = now || ticket;
      tell(function () { return slipSay(print, known); }, print === 'failed');
      draw();
      sayAlso(words);
      touch();
    }
    hold();
    return true;
  });
}

function mend(verb: string, done: () => string, then?: () => void): void {
  const at = visitor();
  const mine = ticket as Ticket;
  const buttons = byId('mine-actions').getElementsByTagName('button');
  for (let i = 0; i < buttons.length; i++) {
    buttons[i].disabled = true;
  }
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + mine.id + '/' + verb, as: page.as }, 10000, function (problem, answer): void {
    if (at !== visitor()) {
      return;
    }
    ticket = answer ? answer.ticket : mine;
    asking = false;
    tell(problem ? function () { return problemSay(problem); } : done, !!problem);
    draw();
    sayAlso(said());
    touch();
    if (!problem && then) {
      then();
    }
  });
}
