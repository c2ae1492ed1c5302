// The questions that verbs ask before they go to the hall, and the answer to "why this one".

import { now } from '../lib/clock';
import { button, make } from '../lib/dom';
import { Ticket, Why, minutes } from '../lib/hall';
import { command } from '../lib/http';
import { Named, askReason, choices, closeSheet, sheet } from '../lib/sheet';
import { beside, desk, page, queueName, served, ticket } from './desk';
import { complain, say } from './say';
import { begin, end, leave, release, send } from './send';

const maxNote = 100; // characters
const manyTargets = 14; // queues and windows, from which on their columns need the width of the screen

let asked: { ticket: Ticket; verb: string; open: () => boolean } | null = null; // the question about a ticket

/** The hall told something new: a question about a ticket that another hand has dealt with is not asked any longer. */
export function checkQuestion(): void {
  const t = desk.mine ? desk.mine.ticket : null;
  if (asked && (!t || t.id !== asked.ticket.id)) {
    if (asked.open()) {
      closeSheet();
      say('warn', asked.ticket.number + ' 已由别处处理，没有' + asked.verb + '。');
    }
    asked = null;
  }
}

export function askPause(): void {
  askReason('暂停服务，原因是', ['暂时离开', '就餐', '会议', '设备故障'], function (reason: string): void {
    send('pause', 'pause', { reason: reason });
  });
}

/** 弃号 takes a number away from somebody: it needs a reason, and choosing one is the press. */
export function askAbandon(): void {
  const t = ticket();
  if (!t) {
    return;
  }
  const reasons: Named[] = [];
  ['群众不办了', '取错号', '重复取号', '材料不齐'].forEach(function (name: string): void { reasons.push({ id: name, name: name }); });
  const open = sheet('弃号 ' + t.number + '，原因是', [
    make('p', '', '弃号后这个号不再叫。群众没有来请用“过号”，他回来还能办。'),
    choices('弃号原因', reasons, '', function (reason: string): void {
      closeSheet();
      leave('abandon', t, { reason: reason });
    })
  ], []);
  asked = { ticket: t, verb: '弃号', open: open };
}

function named(list: Named[], withID: boolean): Named[] {
  const out: Named[] = [];
  for (let i = 0; i < list.length; i++) {
    out.push({ id: list[i].id, name: withID ? list[i].id + ' ' + list[i].name : list[i].name });
  }
  return out;
}

/** A line to write in, which Enter sends. */
function field(name: string, limit: number, onEnter: () => void): { box: HTMLElement; input: HTMLInputElement } {
  const input = make('input', 'field') as HTMLInputElement;
  input.type = 'text';
  input.maxLength = limit;
  input.setAttribute('aria-label', name);
  input.setAttribute('autocomplete', 'off');
  input.addEventListener('keydown', function (e: KeyboardEvent): void {
    if (e.key === 'Enter') {
      e.preventDefault();
      onEnter();
    }
  });
  return { box: make('div', 'field-box', undefined, [input]), input: input };
}

export function askTransfer(): void {
  const t = ticket();
  if (!t) {
    return;
  }
  const to: { queue?: string; window?: string; position: string } = { position: 'arrival' };
  const go = button('btn btn-main', '转移', function (): void {
    closeSheet();
    send('transfer', 'transfer', { ticket: t.id, to: to, note: note.input.value });
  });
  go.disabled = true;
  const note = field('留言', maxNote, function (): void { if (!go.disabled) { go.click(); } });
  const others = named(page.windows, false).filter(function (w) { return w.id !== page.window; });
  const left = [
    make('h3', '', '转到业务'),
    choices('转到业务', named(page.queues, true), '', function (id: string): void { to.queue = id; go.disabled = false; })
  ];
  const many = page.queues.length + others.length > manyTargets;
  const columns = [make('div', 'column' + (many && page.queues.length > others.length ? ' column-wide' : ''), undefined, left)];
  if (others.length > 0) {
    columns.push(make('div', 'column', undefined, [
      make('h3', '', '指定窗口（可不选）'),
      choices('指定窗口', others, '', function (id: string): void { to.window = id; go.disabled = false; })
    ]));
  }
  const open = sheet('转移 ' + t.number, [
    make('div', 'columns' + (many ? ' columns-many' : ''), undefined, columns),
    make('div', 'columns', undefined, [
      make('div', 'column', undefined, [make('h3', '', '排在'), choices('排在', [
        { id: 'front', name: '最前' }, { id: 'arrival', name: '按取号时间' }, { id: 'end', name: '最后' }
      ], 'arrival', function (id: string): void { to.position = id; })]),
      make('div', 'column', undefined, [make('h3', '', '给下一个窗口留言（可不填，不写姓名和证件号）'), note.box])
    ])
  ], [go]);
  asked = { ticket: t, verb: '转移', open: open };
}

export function askHold(): void {
  const t = ticket();
  if (!t) {
    return;
  }
  const body: { ticket: string; reason: string; for_min: number } = { ticket: t.id, reason: '', for_min: 0 };
  const go = button('btn btn-main', '挂起', function (): void {
    closeSheet();
    send('hold', 'hold', body);
  });
  const open = sheet('挂起 ' + t.number, [
    make('h3', '', '去做什么（可不选）'),
    choices('去做什么', ['去复印', '去缴费', '补材料', '填表'].map(function (name) { return { id: name, name: name }; }), '',
      function (reason: string): void { body.reason = reason; }),
    make('h3', '', '多久以后自动回到队里'),
    choices('多久', [{ id: '0', name: '不自动' }, { id: '10', name: '10 分钟' }, { id: '30', name: '30 分钟' }, { id: '60', name: '1 小时' }], '0',
      function (min: string): void { body.for_min = parseInt(min, 10); })
  ], [go]);
  asked = { ticket: t, verb: '挂起', open: open };
}

const rules: { [rule: string]: string } = {
  front: '转来时排在最前', returned: '过号后回来，该让的号已经让过', max_wait: '已超过最长等候时间，先来先办',
  weight: '按类别和业务折算，等得最久', priority_limit: '优先号已连叫几个，轮到普通号', turn: '按取号先后',
  idle: '还没到预约时间，但没有别人在等', designated: '窗口指定叫号', roll: '按纸卷号先后，和电子号按等的时间一起排'
};

/** Why the window has this ticket, for the clerk and for whoever asks. */
export function showWhy(t: Ticket, w: Why): void {
  const list = make('dl', 'why');
  const row = function (name: string, value: string): void {
    list.appendChild(make('dt', '', name));
    list.appendChild(make('dd', 'num', value));
  };
  row('规则', rules[w.rule] || w.rule);
  row('等候', minutes(w.waited_s));
  if (w.rule !== 'designated' && w.rule !== 'roll') { // by a hand or by the roll: nothing was weighed
    row('折算等候', minutes(w.score));
  }
  row('当时的下一位', w.next || '没有别人');
  sheet('为什么叫 ' + t.number, [list], [], '关闭 Esc');
}

/** 临时加开: the window serves one more queue for a while. */
export function askDuty(): void {
  const c = beside();
  const body: { queue: string; min: number } = { queue: '', min: 60 };
  const more = named(page.queues, true).filter(function (q) { return served().indexOf(q.id) < 0; });
  const go = button('btn btn-main', '加开', function (): void {
    closeSheet();
    release(function (): void { setDuty(body.queue, new Date(now() + body.min * 60000)); });
  });
  go.disabled = true;
  const parts: HTMLElement[] = [];
  const duties = c ? c.duties : {};
  for (const q in duties) {
    parts.push(make('div', 'duty', undefined, [
      make('p', '', '正在加开 ' + queueName(q)), button('btn', '结束加开', function (): void {
        closeSheet();
        release(function (): void { setDuty(q, new Date(now())); });
      }, '结束加开 ' + queueName(q))
    ]));
  }
  if (more.length > 0) {
    parts.push(make('h3', '', '加开的业务'),
      choices('加开的业务', more, '', function (id: string): void { body.queue = id; go.disabled = false; }),
      make('h3', '', '多久'),
      choices('多久', [{ id: '30', name: '30 分钟' }, { id: '60', name: '1 小时' }, { id: '120', name: '2 小时' }, { id: '240', name: '4 小时' }], '60',
        function (min: string): void { body.min = parseInt(min, 10); }));
  } else {
    parts.push(make('p', '', '本窗口已经办理全部业务。'));
  }
  sheet('临时加开业务', parts, more.length > 0 ? [go] : []);
}

function setDuty(queue: string, until: Date): void {
  const wait = begin('duty');
  command<unknown>({
    method: 'POST', path: '/api/v1/windows/' + page.window + '/duty', as: page.as, body: { queue: queue, until: until.toISOString() }
  }, 8000, function (problem): void {
    if (problem) {
      complain(problem);
    } else {
      say('good', (until.getTime() > now() ? '已加开 ' : '已结束加开 ') + queueName(queue));
    }
    end(wait);
  });
}
