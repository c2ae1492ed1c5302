// The day in numbers, as a sheet to print: 日报. It is made here, so it needs no centre.

import { dayText, dateText, timeText } from '../lib/clock';
import { byId, empty, make, text } from '../lib/dom';
import { Figures, Spread, desk, hallNow } from './desk';

const grades: string[][] = [
  ['very_satisfied', '非常满意'], ['satisfied', '满意'], ['fair', '基本满意'], ['dissatisfied', '不满意'], ['very_dissatisfied', '非常不满意']
];

/** Minutes with one decimal, so that what is printed can be checked. */
function minutesOf(s: Spread | null, which: 'p50_s' | 'p80_s'): string {
  return s ? (s[which] / 60).toFixed(1) : '—';
}

interface Line { name: string; day: Figures; }

function table(title: string, heads: string[][], lines: Line[], total: Line | null, cells: (day: Figures) => string[]): HTMLElement {
  const head = make('tr', '', undefined, [make('th', 'sheet-name', title)]);
  head.children[0].setAttribute('scope', 'col');
  heads.forEach(function (h): void {
    const th = make('th', '', h[0], h[1] ? [make('small', '', h[1])] : []);
    th.setAttribute('scope', 'col');
    head.appendChild(th);
  });
  const body = make('tbody', '');
  const add = function (l: Line, className: string): void {
    const name = make('th', 'sheet-name', l.name);
    name.setAttribute('scope', 'row');
    const tr = make('tr', className, undefined, [name]);
    cells(l.day).forEach(function (c): void { tr.appendChild(make('td', '', c)); });
    body.appendChild(tr);
  };
  lines.forEach(function (l): void { add(l, ''); });
  if (total) {
    add(total, 'sheet-total');
  }
  return make('table', 'sheet-table num', undefined, [make('thead', '', undefined, [head]), body]);
}

const counts = [['办结', ''], ['过号', '未回'], ['退号', ''], ['弃号', ''], ['未办完', '']];
const times = [['等候', '中位 分'], ['等候', '80% 分'], ['办理', '中位 分'], ['办理', '80% 分']];

function numbers(d: Figures): string[] {
  return [d.taken, d.served, d.missed, d.withdrawn, d.abandoned, d.open].map(String).concat([
    minutesOf(d.wait, 'p50_s'), minutesOf(d.wait, 'p80_s'), minutesOf(d.serve, 'p50_s'), minutesOf(d.serve, 'p80_s')
  ]);
}

function rated(d: Figures): string[] {
  let sum = 0;
  const out = grades.map(function (g): string {
    sum += d.ratings[g[0]];
    return '' + d.ratings[g[0]];
  });
  const good = d.ratings.very_satisfied + d.ratings.satisfied;
  return out.concat(['' + d.unrated, sum ? Math.round(good / sum * 100) + '%' : '—']);
}

let drawn = '';

/** Draws the sheet from the board as it was told last. */
export function drawDay(): void {
  const b = desk.board;
  if (!b) {
    return;
  }
  const at = new Date(hallNow());
  text(byId('day-date'), dayText(b.business_day));
  text(byId('day-made'), '制表 ' + dateText(at) + ' ' + timeText(at));
  const now = JSON.stringify([b.day, b.queues, b.windows]);
  if (now === drawn) {
    return;
  }
  drawn = now;
  const all: Line = { name: '全厅', day: b.day };
  const queues = b.queues.map(function (q): Line { return { name: q.id + ' ' + q.name, day: q.day }; });
  const windows = b.windows.map(function (w): Line { return { name: w.name, day: w.day }; });
  const ratingHeads = grades.map(function (g): string[] { return [g[1], '']; }).concat([['未评价', ''], ['满意率', '']]);
  const box = byId('day-tables');
  empty(box);
  box.appendChild(make('h3', '', '一、各项业务'));
  box.appendChild(table('业务', [['取号', '']].concat(counts, times), queues, all, numbers));
  box.appendChild(make('h3', '', '二、各窗口'));
  box.appendChild(table('窗口', [['叫号', '']].concat(counts, times), windows, null, numbers));
  box.appendChild(make('h3', '', '三、群众评价'));
  box.appendChild(table('业务', ratingHeads, queues, all, rated));
  box.appendChild(table('窗口', ratingHeads, windows, null, rated));
}
