// What the hall knows to offer to somebody whose card was read: appointments to check in for, and numbers that still wait.

import { button, byId, empty, make, phrases } from '../lib/dom';
import { Booking, Ticket } from '../lib/hall';
import { QueueSetup, queueName } from './queue';
import { go, queueOf } from './stage';
import { stateSay, t, timeSay } from './words';

/** A page has six buttons; one leads to the other services. */
const most = 5;

export interface Offers { onBooking: (b: Booking, q: QueueSetup) => void; onTicket: (id: string) => void; onOther: () => void; }

/** Shows the offers: appointments first. */
export function showPerson(bookings: Booking[], tickets: Ticket[], offers: Offers): void {
  go('person', function (): void {
    const box = byId('person-list');
    empty(box);
    phrases(byId('person-title'), bookings.length > 0 ? t('您今天有预约', 'You have an appointment today') : t('您已经取过号', 'You have a number already'));
    bookings.slice(0, most).forEach(function (b): void {
      const q = queueOf(b.queue);
      box.appendChild(row(q, t('预约时间 ', 'Booked for ') + timeSay(b.start) + '–' + timeSay(b.end), t('签到取号', 'Check in'), true, function (): void { offers.onBooking(b, q); }));
    });
    tickets.slice(0, Math.max(0, most - bookings.length)).forEach(function (mine): void {
      const ahead = mine.state === 'waiting' ? t('，前面 ' + mine.ahead + ' 人', ', ' + mine.ahead + ' ahead') : '';
      box.appendChild(row(queueOf(mine.queue), mine.number + ' · ' + stateSay(mine.state) + ahead, t('查看', 'Show'), false, function (): void { offers.onTicket(mine.id); }));
    });
    const other = byId('person-other');
    empty(other);
    other.appendChild(button('btn', t('办理其他业务', 'Other services'), offers.onOther));
  });
}

function row(q: QueueSetup, say: string, act: string, main: boolean, onPress: () => void): HTMLElement {
  const b = button('queue', '', onPress);
  const words = make('span', 'queue-text', undefined, [make('span', 'queue-name', queueName(q)), make('span', 'queue-when num', say)]);
  b.appendChild(make('span', 'queue-top', undefined, [make('span', 'queue-letter', q.id), words]));
  b.appendChild(make('span', 'queue-go' + (main ? '' : ' queue-go-quiet'), act));
  return b;
}
