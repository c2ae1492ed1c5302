// Beside the calls: how many wait, for how long, and whose number was passed.

import { byId, empty, make, text } from '../lib/dom';
import { Hall, Queue, waitText } from '../lib/hall';
import { fitName, partOf, rem, upright } from './place';

/** Passed numbers shown at a time. */
const missedPerPage = 12;
/** In rem: the height of a queue's line at least, at most, and from where on it has room for the wait. */
const waitRem = 4;
const waitMostRem = 12;
const waitTextRem = 6;

export function drawMissed(missed: string[], live: boolean): void {
  const box = byId('missed');
  empty(box);
  const part = partOf(live ? missed : [], missedPerPage);
  text(byId('missed-page'), beside('请到导办台', part));
  for (let i = 0; i < part.items.length; i++) {
    box.appendChild(make('li', 'num', part.items[i]));
  }
  if (part.items.length === 0) {
    box.appendChild(make('li', 'none', live ? '暂无过号' : '暂时无法显示'));
  }
}

/** How many wait, in lines as high as their place allows. */
export function drawWaits(h: Hall, live: boolean): void {
  const box = byId('waits');
  empty(box);
  let all = 0;
  for (let i = 0; i < h.queues.length; i++) {
    all += h.queues[i].waiting;
  }
  const columns = upright() ? 2 : 1;
  const height = box.clientHeight / rem();
  const fits = columns > 1 ? 4 : Math.max(1, Math.floor(height / waitRem));
  const part = partOf(h.queues, fits * columns);
  text(byId('waits-all'), beside(live ? '共 ' + all + ' 人' : '', part));
  const lines = Math.ceil(part.size / columns);
  const each = columns > 1 ? waitRem : Math.min(waitMostRem, height / lines);
  box.style.height = columns > 1 ? Math.ceil(lines * each * rem()) + 'px' : '';
  for (let i = 0; i < part.items.length; i++) {
    const row = box.appendChild(waitLine(part.items[i], live, each >= waitTextRem));
    row.style.height = Math.floor(each * rem()) + 'px';
  }
  box.style.fontSize = Math.min(3.2, each / 1.6) * rem() + 'px';
  for (let i = 0; i < box.children.length; i++) {
    fitName(box.children[i].children[0].children[0] as HTMLElement);
  }
}

/** What stands beside a heading: a text, and which part of the list this is. */
function beside(words: string, part: { page: number; pages: number }): string {
  const page = part.pages > 1 ? part.page + '/' + part.pages + ' 页' : '';
  return words && page ? words + ' · ' + page : words + page;
}

function waitLine(q: Queue, live: boolean, roomy: boolean): HTMLElement {
  const name = make('span', 'waits-what', undefined, [make('span', '', q.id + ' ' + q.name)]);
  const wait = waitText(q.wait);
  if (live && roomy && wait && q.waiting > 0) {
    name.appendChild(make('small', 'num', wait));
  }
  return make('li', '', undefined, [name, make('b', live && q.waiting > 0 ? 'num' : 'num nobody', live ? '' + q.waiting : '—')]);
}
