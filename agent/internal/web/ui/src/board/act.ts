// What the director does about a live hall: further services for a window for a while (潮汐), the paper roll, the time.

import { clockOf, timeText } from '../lib/clock';
import { button, byId, make, show, text } from '../lib/dom';
import { command } from '../lib/http';
import { closeSheet, sheet } from '../lib/sheet';
import { BoardQueue, BoardWindow, desk, hallNow, instant, order, page, queueName, say, told } from './desk';

interface Until { label: string; at: string; }

function plus(minutes: number): string {
  return new Date(hallNow() + minutes * 60000).toISOString();
}

/** The hall's offset from UTC as times write it: +08:00. */
function offset(): string {
  const east = page.east || 0;
  const two = function (n: number): string { return (n < 10 ? '0' : '') + n; };
  const m = Math.abs(east);
  return (east < 0 ? '-' : '+') + two(Math.floor(m / 60)) + ':' + two(m % 60);
}

/** How long a window may help out: half an hour, an hour, or until the queue closes today. */
export function untils(queue: BoardQueue): Until[] {
  const closes = queue.gives.closes;
  const day = desk.board ? desk.board.business_day : '';
  return [
    { label: '30 分钟', at: '' }, { label: '1 小时', at: '' },
    closes ? { label: '到停止取号 ' + closingOf(closes), at: closes } : { label: '到今天结束', at: day + 'T23:59:59' + offset() }
  ];
}

/** When a queue closes; the end of a day is 24:00. */
export function closingOf(stamp: string): string {
  const at = clockOf(stamp);
  return at === '00:00' ? '24:00' : at;
}

function begin(w: BoardWindow, queue: string, n: number, until: Until): void {
  const at = n === 0 ? plus(30) : n === 1 ? plus(60) : until.at;
  order('/api/v1/windows/' + encodeURIComponent(w.id) + '/duty', { queue: queue, until: at },
    w.name + ' 已加开 ' + queueName(queue) + '，到 ' + clockOf(at) + ' 自动结束');
}

export function endDuty(w: BoardWindow, queue: string): void {
  order('/api/v1/windows/' + encodeURIComponent(w.id) + '/duty', { queue: queue, until: new Date(hallNow() - 1000).toISOString() },
    w.name + ' 已结束加开 ' + queueName(queue));
}

/** Buttons that open a queue at a window, one press each. */
export function dutyButtons(w: BoardWindow, queue: BoardQueue, main: boolean, after?: () => void): HTMLElement[] {
  return untils(queue).map(function (u, n): HTMLElement {
    return button(main && n === 0 ? 'btn btn-main' : 'btn', u.label, function (): void {
      if (after) {
        after();
      }
      begin(w, queue.id, n, u);
    }, w.name + '加开' + queue.name + ' ' + u.label);
  });
}

/** Asks which queue a window opens, and for how long. */
export function askDuty(w: BoardWindow): void {
  const body: HTMLElement[] = [];
  const queues = desk.board ? desk.board.queues : [];
  for (let i = 0; i < queues.length; i++) {
    const q = queues[i];
    if (w.queues.indexOf(q.id) >= 0) {
      continue;
    }
    body.push(make('div', 'duty', undefined, [
      make('p', '', undefined, [make('b', '', q.id + ' ' + q.name), make('span', 'num', q.waiting + ' 人等候')]),
      make('div', 'duty-for', undefined, dutyButtons(w, q, false, closeSheet))
    ]));
  }
  const hint = body.length > 0 ? '再临时办理一项业务，到时自动结束，也可以提前结束。' : '这个窗口已经办理全部业务。';
  sheet('临时加开 · ' + w.name, [make('p', '', hint), make('div', 'duties', undefined, body)], [], '取消');
}

/** Asks for the paper roll of a queue: numbers torn off, called in turn with those who have a ticket. */
export function askRoll(q: BoardQueue): void {
  const next = make('input', 'field num') as HTMLInputElement;
  next.type = 'text';
  next.maxLength = 4;
  next.setAttribute('inputmode', 'numeric');
  next.setAttribute('autocomplete', 'off');
  next.id = 'roll-next';
  next.value = '' + (q.roll || 1);
  const label = make('label', 'field-label', '下一个要叫的纸卷号（1–9999）') as HTMLLabelElement;
  label.htmlFor = next.id;
  const wrong = make('p', 'wrong');
  wrong.setAttribute('role', 'alert');
  next.addEventListener('input', function (): void { text(wrong, ''); });
  const foot = [button('btn btn-main', q.roll ? '改号' : '开始叫纸卷号', function (): void {
    const n = /^\d{1,4}$/.test(next.value) ? +next.value : 0;
    if (n < 1) {
      text(wrong, '请填 1 到 9999 的数字。');
      next.focus();
      return;
    }
    closeSheet();
    order('/api/v1/roll', { queue: q.id, on: true, next: n }, q.name + ' 正在叫纸卷号，下一个 ' + rollNumber(q.id, n));
  })];
  if (q.roll) {
    foot.unshift(button('btn btn-bad', '停用纸卷', function (): void {
      closeSheet();
      order('/api/v1/roll', { queue: q.id, on: false, next: 0 }, q.name + ' 已停用纸卷');
    }));
  }
  sheet('纸卷 · ' + q.id + ' ' + q.name, [
    make('p', '', '取号机用不了时，发预先印好的纸卷号。纸卷号按顺序叫，和电子号按等的时间排在一起叫，谁都不会一直等。不发纸卷了就停用。'),
    make('div', 'field-box', undefined, [label, next, wrong])
  ], foot, '取消');
}

export function rollNumber(queue: string, n: number): string {
  return queue + 'R' + ('00' + n).slice(-Math.max(3, ('' + n).length));
}

let clockFilled = false;

/** The card that asks what time it is, while nobody in the hall knows. This machine's clock is the first guess. */
export function drawClock(): void {
  const unknown = !!desk.board && desk.board.clock_unknown && !!page.directs;
  show(byId('clock'), unknown);
  if (unknown && !clockFilled) {
    clockFilled = true;
    const at = new Date();
    byId<HTMLInputElement>('clock-date').value = new Date(at.getTime() + (page.east || 0) * 60000).toISOString().slice(0, 10);
    byId<HTMLInputElement>('clock-time').value = timeText(at);
  }
  clockFilled = clockFilled && unknown;
}

/** Sets the hall's time. One that is far ahead opens a day that can never be taken back, so it is asked for twice. */
function setClock(stamp: string, said: string, sure: boolean): void {
  command<unknown>({ method: 'POST', path: '/api/v1/clock', as: page.as, body: { time: stamp, sure: sure } }, 8000, function (problem): void {
    if (problem && problem.code === 'clock_far') {
      sheet('真的是 ' + said + '？', [
        make('p', '', '这比大厅最后一次记录晚得多。定下以后这一天就开始，不能退回。请再看一遍年、月、日。')
      ], [button('btn btn-bad', '确实是这个时间', function (): void {
        closeSheet();
        setClock(stamp, said, true);
      })], '重新填写');
      return;
    }
    say(problem ? told(problem) : '大厅时间已定为 ' + said, !!problem);
    desk.look();
  });
}

/** Sends the time that somebody entered. */
export function useClock(): void {
  byId('clock-form').addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    const date = byId<HTMLInputElement>('clock-date').value;
    const time = byId<HTMLInputElement>('clock-time').value;
    const stamp = date + 'T' + time + ':00' + offset();
    if (!/^\d{4}-\d\d-\d\d$/.test(date) || !/^\d\d:\d\d$/.test(time) || isNaN(instant(stamp))) {
      say('请按“2026-10-01”和“08:30”的样子填写日期和时间。', true);
      return;
    }
    setClock(stamp, date + ' ' + time, false);
  });
}
