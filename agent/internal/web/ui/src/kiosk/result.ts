// The number somebody was given, and whether its slip came out.

import { byId, phrases, show } from '../lib/dom';
import { Slip, Ticket } from '../lib/hall';
import { isReading, sayAlso, sayNumber } from './aloud';
import { QueueSetup, queueName } from './queue';
import { drawNumber, slipSay, watchSlip } from './slip';
import { go, hold, isElder, linger, page, shown, touch, visitor } from './stage';
import { t } from './words';

let ticket: Ticket | null = null;
let queues: QueueSetup[] = []; // the first is the ticket's own, the others follow with the same number
let late = false; // for its appointment
let carded = false; // by his ID card, which must not stay on the reader
let print = '';
let slip: Slip | null = null;

/** Shows a number of queues. booked says that it was taken for an appointment, byCard that an ID card was shown for it. */
export function showResult(taken: Ticket, of: QueueSetup[], booked: boolean, byCard: boolean): void {
  ticket = taken;
  queues = of;
  late = booked && taken.class === 'normal';
  carded = byCard;
  print = 'pending';
  slip = null;
  go('result', draw);
  follow(taken.id);
  if (isElder() && !isReading()) {
    sayNumber(taken.number);
  }
}

function draw(): void {
  const taken = ticket as Ticket;
  const names: string[] = [];
  for (let i = 0; i < queues.length; i++) {
    names.push(queueName(queues[i]));
  }
  const tags: { [name: string]: string } = {
    elder: t('已按老年人优先排队', 'Seniors are served sooner'), appointment: t('预约号，按预约时间叫号', 'Appointment: called by its time'),
    priority: t('依法优先', 'Priority by law')
  };
  const tag = late ? t('预约时间已过，按普通号排队', 'Your appointment is over: you wait like everybody')
    : queues.length > 1 ? t('同一个号办 ' + queues.length + ' 项，办完一项自动排下一项', 'One number for ' + queues.length + ' services, one after the other') : tags[taken.class] || '';
  drawNumber('result', taken, names.join(' → '), queues[0].windows, '', '', tag, late);
  show(byId('result-card'), carded);
  drawPaper();
}

function drawPaper(): void {
  const failed = print === 'failed';
  byId('paper').className = 'paper' + (print === 'printed' ? ' paper-done' : failed ? ' paper-bad' : '');
  const words = slipSay(print, slip);
  if (byId('paper-text').textContent !== words && print !== 'pending' && print !== 'printing') {
    sayAlso(words);
  }
  phrases(byId('paper-text'), words);
  show(byId('paper-fail'), failed);
  if (failed && ticket) {
    byId<HTMLImageElement>('paper-code').src = '/api/v1/tickets/' + ticket.id + '/qr?as=' + page.as;
  }
}

function follow(id: string): void {
  const mine = visitor();
  watchSlip(id, function (now, known): boolean {
    if (mine !== visitor() || shown() !== 'result' || !ticket || ticket.id !== id) {
      return false;
    }
    print = now;
    slip = known;
    drawPaper();
    if (now === 'failed') {
      linger(2); // to write the number down, or to scan it
    } else if (now === 'printed') {
      touch();
    } else {
      hold(); // the time starts when the slip is out
    }
    return true;
  });
}
