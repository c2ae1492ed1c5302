// The hall as it is now: what needs somebody, the windows and the lines. Colours come with words, never alone.

import { clockOf, dayText } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { minutes, span, stateName, waitText } from '../lib/hall';
import { Board, BoardQueue, BoardWindow, Drawn, Entry, Keyed, desk, hallNow, heat, heatWord, instant, page, queueName, staffName } from './desk';
import { askDuty, askRoll, closingOf, drawClock, dutyButtons, endDuty, rollNumber } from './act';

/** A window that may call and does not is named after so long. */
const idleAfter = 60;
/** How many things that need somebody are shown together. */
const mostNeeds = 4;

let needs: Keyed;
let cards: Keyed;
let rows: Keyed;

export function setUpLive(): void {
  needs = new Keyed(byId('needs'));
  cards = new Keyed(byId('windows'));
  rows = new Keyed(byId('queues'));
}

function find<T extends { id: string }>(list: T[], id: string): T {
  for (let i = 0; i < list.length; i++) {
    if (list[i].id === id) {
      return list[i];
    }
  }
  return list[0];
}

function windowNow(id: string): BoardWindow {
  return find((desk.board as Board).windows, id);
}

function queueNow(id: string): BoardQueue {
  return find((desk.board as Board).queues, id);
}

function figure(name: string, value: string, unit: string): HTMLElement {
  return make('li', '', undefined, [make('span', '', name), make('b', 'num', value), make('small', '', unit)]);
}

function median(s: { p50_s: number } | null): string {
  return s ? s.p50_s < 60 ? '不到 1' : '' + Math.round(s.p50_s / 60) : '—';
}

function drawFigures(b: Board): void {
  const box = byId('figures');
  empty(box);
  box.appendChild(figure('今日取号', '' + b.taken, '个'));
  box.appendChild(figure('正在等候', '' + b.waiting, '人'));
  box.appendChild(figure('已办结', '' + b.done, '个'));
  box.appendChild(figure('过号', '' + b.passed, '个'));
  box.appendChild(figure('等候中位', median(b.day.wait), b.day.wait ? '分钟' : ''));
  box.appendChild(figure('办理中位', median(b.day.serve), b.day.serve ? '分钟' : ''));
  box.appendChild(figure('满意率', b.rated ? '' + Math.round(b.satisfied / b.rated * 100) : '—', b.rated ? '%（' + b.rated + ' 评）' : ''));
}

export function drawLive(): void {
  const b = desk.board;
  if (!b) {
    return;
  }
  text(byId('day'), dayText(b.business_day));
  drawFigures(b);
  drawClock();
  const wanted = needsOf(b);
  needs.draw(wanted.slice(0, mostNeeds));
  show(byId('needs-box'), wanted.length > 0);
  text(byId('needs-more'), wanted.length > mostNeeds ? '还有 ' + (wanted.length - mostNeeds) + ' 件' : '');
  cards.draw(b.windows.map(cardOf));
  rows.draw(b.queues.map(rowOf));
  show(byId('no-windows'), b.windows.length === 0);
}

export function beatLive(): void {
  needs.beat();
  cards.beat();
  rows.beat();
}

/** Seconds since something at a window changed. */
function sinceOf(w: BoardWindow): number {
  return w.since ? Math.max(0, Math.floor((hallNow() - instant(w.since)) / 1000)) : 0;
}

/** Windows that could help a queue, the idle ones first, then those for which the fewest wait. */
function helpers(b: Board, q: BoardQueue): BoardWindow[] {
  return b.windows.filter(function (w): boolean { return w.state === 'open' && w.queues.indexOf(q.id) < 0; }).sort(function (x, y): number {
    return (x.ticket ? 1 : 0) - (y.ticket ? 1 : 0) || x.waiting - y.waiting;
  });
}

/** What needs somebody now: people who wait while a window is idle or nobody serves them, the longest wait first. */
function needsOf(b: Board): Entry[] {
  const out: Entry[] = [];
  const asked: { [window: string]: boolean } = {};
  const lines = b.queues.filter(function (q): boolean { return q.waiting > 0; }).sort(function (x, y): number { return y.longest_s - x.longest_s; });
  lines.forEach(function (q): void {
    const help = helpers(b, q).filter(function (w): boolean { return !asked[w.id]; })[0];
    const idle = !!help && !help.ticket && help.waiting === 0;
    if (q.open === 0 || idle) {
      if (help) {
        asked[help.id] = true;
      }
      out.push(lineNeed(q, help || helpers(b, q)[0] || null));
    }
  });
  b.windows.forEach(function (w): void {
    if (w.state === 'open' && !w.ticket && w.waiting > 0 && sinceOf(w) >= idleAfter) {
      out.push(idleNeed(w));
    }
  });
  return out;
}

function lineNeed(q: BoardQueue, w: BoardWindow | null): Entry {
  const until = page.directs && w ? q.gives.closes || '-' : '';
  return {
    id: 'line ' + q.id, sig: (w ? w.id : '') + until, make: function (): Drawn {
      const says = make('p', 'need-says num');
      const el = make('li', 'need', undefined, [says]);
      if (w && page.directs) {
        el.appendChild(make('div', 'need-do', undefined, [make('span', '', w.name + ' 加开 ' + q.name)].concat(dutyButtons(w, q, true))));
      }
      return {
        el: el, beat: function (): void {
          const now = queueNow(q.id);
          const at = w ? windowNow(w.id) : null;
          const line = q.id + ' ' + q.name + ' 有 ' + now.waiting + ' 人等候，最久 ' + minutes(now.longest_s);
          const nobody = now.open === 0 ? '，没有窗口在办理。' : '。';
          const idle = at && at.state === 'open' && !at.ticket && at.waiting === 0 ? at.name + ' 空闲 ' + minutes(sinceOf(at)) + '。' : '';
          text(says, line + nobody + idle + (w || now.open > 0 ? '' : '请安排窗口开窗。'));
        }
      };
    }
  };
}

function idleNeed(w: BoardWindow): Entry {
  return {
    id: 'idle ' + w.id, sig: '', make: function (): Drawn {
      const says = make('p', 'need-says num');
      return {
        el: make('li', 'need', undefined, [says]), beat: function (): void {
          const now = windowNow(w.id);
          const who = now.staff ? '（' + staffName(now.staff) + '）' : '';
          text(says, w.name + who + ' 空闲 ' + minutes(sinceOf(now)) + '，它的业务有 ' + now.waiting + ' 人等候。请提醒叫号。');
        }
      };
    }
  };
}

const names: { [state: string]: string } = { open: '空闲', paused: '暂停', closed: '未开窗' };

function cardOf(w: BoardWindow): Entry {
  return {
    id: w.id, sig: JSON.stringify([w.name, w.state, w.ticket && [w.ticket.number, w.ticket.state, w.ticket.queue], w.staff, w.since, w.reason, w.queues, w.duties, w.day.taken,
      w.day.serve && w.day.serve.p50_s]), make: function (): Drawn { return card(w); }
  };
}

function card(w: BoardWindow): Drawn {
  const t = w.ticket;
  const state = t ? stateName(t.state) : w.reason;
  const time = make('span', 'card-time num');
  const hot = make('b', 'tag');
  const served = w.day.serve ? '办理中位 ' + minutes(w.day.serve.p50_s) : '';
  const queues = make('p', 'card-queues');
  w.queues.forEach(function (q): void {
    if (!w.duties[q]) {
      const at = make('b', 'queue-id', q);
      at.title = queueName(q);
      queues.appendChild(at);
    }
  });
  const el = make('li', 'card card-' + (t ? t.state : w.state), undefined, [
    make('h3', '', w.name, [make('small', '', state)]),
    make('p', 'card-now', undefined, [make('b', t ? 'card-number num' : 'card-number card-none', t ? t.number : names[w.state]), time, hot]),
    make('p', 'card-who', w.staff ? staffName(w.staff) : w.state === 'closed' ? '' : '没有人登录'),
    make('p', 'card-day num', undefined, [make('span', 'phrase', '今日叫 ' + w.day.taken + ' 个'), make('span', 'phrase', served)]), queues
  ]);
  for (const q in w.duties) {
    const line = make('p', 'card-duty num', undefined, [make('span', 'tag tag-warm', '临时 ' + q + ' ' + queueName(q) + ' 至 ' + clockOf(w.duties[q]))]);
    if (page.directs) {
      line.appendChild(button('btn btn-small', '结束', function (): void { endDuty(w, q); }, '结束加开 ' + w.name + queueName(q)));
    }
    el.appendChild(line);
  }
  if (page.directs) {
    queues.appendChild(button('btn btn-small card-do', '加开', function (): void { askDuty(windowNow(w.id)); }, w.name + ' 加开'));
  }
  return {
    el: el, beat: function (): void {
      const s = sinceOf(w);
      const bad = t && (t.state === 'serving' || t.state === 'called') ? heat(t.queue, 'serve', s) : '';
      text(time, w.since && w.state !== 'closed' ? span(s * 1000) : '');
      text(hot, heatWord[bad]);
      hot.className = bad ? 'tag tag-' + bad : 'hidden-text';
    }
  };
}

const why: { [reason: string]: string } = {
  queue_closed: '不在取号时间', quota_used: '今天的号已取完', slot_quota_used: '这一时段的号已取完', closing_soon: '快到停止取号时间'
};

/** Whether a queue gives numbers, in words: "取号到 17:30，还剩 12 个". */
function givesText(q: BoardQueue): string {
  const g = q.gives;
  if (!g.open) {
    return '停止取号：' + (why[g.reason] || g.reason) + (g.opens ? '，' + clockOf(g.opens) + ' 开始' : '');
  }
  return (g.closes ? '取号到 ' + closingOf(g.closes) : '正在取号') + (g.left !== null ? '，还剩 ' + g.left + ' 个' : '') + (g.late ? '，现在取号可能办不完' : '');
}

function guessText(q: BoardQueue): string {
  const a = q.accuracy;
  const how = a.samples > 0 ? '预计误差平均 ' + minutes(a.error_s) + '（' + a.samples + ' 次）' : '预计误差还没有样本';
  return (q.wait ? '现在取号等候' + waitText(q.wait) : '样本不够，暂不预计等候') + '；' + how;
}

function rowOf(q: BoardQueue): Entry {
  return {
    id: q.id, sig: JSON.stringify([q.name, q.roll]), make: function (): Drawn {
      const name = make('p', 'row-name', undefined, [make('b', 'queue-id', q.id), make('span', '', q.name)]);
      const waiting = make('b', 'num');
      const longest = make('b', 'num');
      const hot = make('b', 'tag');
      const open = make('b', 'num');
      const gives = make('span', '');
      const guess = make('span', '');
      const more = make('p', 'row-more num', undefined, [gives, guess]);
      const cells = make('div', 'row-cells', undefined, [
        cell('等候', waiting), cell('最久', longest, hot), cell('窗口', open)
      ]);
      const el = make('li', 'row', undefined, [make('div', 'row-main', undefined, [name, cells]), more]);
      const foot = make('p', 'row-roll', undefined, q.roll ? [make('span', 'tag tag-warm num', '纸卷 下一个 ' + rollNumber(q.id, q.roll))] : []);
      if (page.directs) {
        foot.appendChild(button('btn btn-small', '纸卷', function (): void { askRoll(queueNow(q.id)); }, '纸卷 ' + q.name));
      }
      el.appendChild(foot);
      return {
        el: el, beat: function (): void {
          const now = queueNow(q.id);
          const bad = now.waiting > 0 ? heat(q.id, 'wait', now.longest_s) : '';
          const nobody = now.waiting > 0 && now.open === 0;
          text(waiting, '' + now.waiting);
          text(longest, now.waiting ? minutes(now.longest_s) : '—');
          text(hot, heatWord[bad]);
          hot.className = bad ? 'tag tag-' + bad : 'hidden-text';
          text(open, nobody ? '无人办理' : '' + now.open);
          open.className = nobody ? 'num over' : 'num';
          text(gives, givesText(now));
          gives.className = now.gives.open ? 'row-gives' : 'row-gives row-stopped';
          text(guess, guessText(now));
        }
      };
    }
  };
}

function cell(name: string, value: HTMLElement, beside?: HTMLElement): HTMLElement {
  return make('span', 'row-cell', undefined, [make('small', '', name), value].concat(beside ? [beside] : []));
}

export function drawHealth(): void {
  const box = byId('alarms');
  empty(box);
  desk.health.forEach(function (c): void {
    box.appendChild(make('li', 'alarm alarm-' + c.severity, undefined, [
      make('b', '', (c.severity === 'error' ? '故障：' : '注意：') + c.title + (c.subject ? '（' + c.subject + '）' : '')), make('p', '', c.advice || '')
    ]));
  });
  mark(byId('alarm-box'), 'box-alarm-on', desk.health.length > 0);
  if (desk.health.length === 0) {
    box.appendChild(make('li', 'none', '设备和网络一切正常'));
  }
}
