// The number somebody was given, and whether its slip came out. Success is only what the printer said.

import { byId, phrases, show, text } from '../lib/dom';
import { Ticket } from '../lib/hall';
import { request } from '../lib/http';
import { canSay, sayNumber } from './aloud';
import { QueueSetup, queueName } from './queue';
import { go, hold, isElder, linger, page, shown, touch, visitor } from './stage';
import { people, t, waitSay, windowsSay } from './words';

/** How long the printer may take before the page stops waiting for it. */
const paperMS = 25000;

type Paper = 'printing' | 'printed' | 'failed';

let ticket: Ticket | null = null;
let queues: QueueSetup[] = []; // the first is the ticket's own, the others follow with the same number
let paper: Paper = 'printing';

export function showResult(taken: Ticket, of: QueueSetup[]): void {
  ticket = taken;
  queues = of;
  paper = 'printing';
  go('result', draw);
  watchPaper(taken.id, visitor(), Date.now() + paperMS);
  if (isElder()) {
    sayNumber(taken.number);
  }
}

/** Says the number again to whoever asks for it. */
export function sayAgain(): void {
  if (ticket) {
    sayNumber(ticket.number);
  }
}

function draw(): void {
  const taken = ticket as Ticket;
  const names: string[] = [];
  for (let i = 0; i < queues.length; i++) {
    names.push(queueName(queues[i]));
  }
  text(byId('result-queue'), names.join(' → '));
  text(byId('result-number'), taken.number);
  text(byId('result-ahead'), people(taken.ahead));
  const wait = waitSay(taken.wait);
  show(byId('result-wait-box'), wait !== '');
  text(byId('result-wait'), wait);
  text(byId('result-windows'), windowsSay(queues.length > 0 ? queues[0].windows : ''));
  const tags: { [name: string]: string } = {
    elder: t('已按老年人优先排队', 'Seniors are served sooner'), appointment: t('预约号，按预约时间叫号', 'Appointment: called by its time'),
    priority: t('依法优先', 'Priority by law')
  };
  const tag = queues.length > 1 ? t('同一个号办 ' + queues.length + ' 项，办完一项自动排下一项', 'One number for ' + queues.length + ' services, one after the other') : tags[taken.class] || '';
  phrases(byId('result-tag'), tag);
  show(byId('result-tag'), tag !== '');
  show(byId('result-say'), canSay());
  drawPaper();
}

function drawPaper(): void {
  byId('paper').className = 'paper' + (paper === 'printed' ? ' paper-done' : paper === 'failed' ? ' paper-bad' : '');
  phrases(byId('paper-text'), paper === 'printed' ? t('请取走您的小票', 'Please take your slip')
    : paper === 'failed' ? t('小票没有打印出来，号码有效', 'No slip was printed. Your number is valid.') : t('正在打印小票…', 'Printing your slip…'));
  show(byId('paper-fail'), paper === 'failed');
  if (paper === 'failed' && ticket) {
    byId<HTMLImageElement>('paper-code').src = '/api/v1/tickets/' + ticket.id + '/qr?as=' + page.as;
  }
}

function turn(to: Paper): void {
  paper = to;
  drawPaper();
  if (to === 'failed') {
    linger(2); // to write the number down, or to scan it
  } else {
    touch();
  }
}

function watchPaper(id: string, mine: number, until: number): void {
  request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (problem, answer): void {
    if (mine !== visitor() || shown() !== 'result' || !ticket || ticket.id !== id) {
      return;
    }
    const print = problem || !answer ? 'pending' : answer.ticket.print;
    if (print === 'printed') {
      turn('printed');
      return;
    }
    if (print === 'failed' || print === 'none' || Date.now() > until) {
      turn('failed');
      return;
    }
    hold(); // the time starts when the slip is out
    window.setTimeout(function (): void {
      watchPaper(id, mine, until);
    }, 400);
  });
}
