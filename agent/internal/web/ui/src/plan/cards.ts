// The cards of the staff, 工作卡: enrolled by holding one to a reader, while the manager waits for it.

import { button, make, setup } from '../lib/dom';
import { Problem, newKey, request, sentence } from '../lib/http';
import { Named, choices, closeSheet, sheet } from '../lib/sheet';
import { page } from '../board/desk';
import { cardRow } from './forms';
import { Item, StaffData, isNew } from './draft';

interface Setup { readers?: Named[]; carded?: string[]; }

/** What the settings do about a change of a card: it is in force at once, and the page begins anew. */
interface Around { unsaved: () => boolean; done: (words: string) => void; }

const waitMS = 45000; // longer than the server waits for a card

let around: Around = { unsaved: function (): boolean { return false; }, done: function (): void { /* set up later */ } };

export function setUpCards(a: Around): void {
  around = a;
}

function said(words: string): HTMLElement {
  const p = make('p', 'sheet-hint', words);
  p.setAttribute('role', 'status');
  return p;
}

function send(path: string, body: unknown, done: (problem: Problem | null) => void): void {
  request<unknown>({ method: 'POST', path: path, as: page.as, body: body, key: newKey(), timeoutMS: waitMS }, done);
}

function ask(s: StaffData): void {
  const readers = setup<Setup>().readers || [];
  if (around.unsaved()) {
    sheet('改动还没有保存', [make('p', '', '工作卡马上生效。请先保存或放弃别的改动，再登记。')], [], '知道了');
    return;
  }
  if (readers.length === 0) {
    sheet('没有读卡器', [make('p', '', '大厅里没有接身份证读卡器或扫码器，不能登记工作卡。')], [], '知道了');
    return;
  }
  let at = readers[0].id;
  const words = said(readers.length > 1 ? '选好读卡器，按“开始”，在 30 秒内把 ' + s.name + ' 的卡放上去。' : '按“开始”，在 30 秒内把 ' + s.name + ' 的卡放在读卡区。');
  const start = button('btn btn-main', '开始', function (): void {
    start.disabled = true;
    words.textContent = '请在 30 秒内刷卡…';
    send('/api/v1/staff/' + encodeURIComponent(s.id) + '/card', { place: at }, function (problem): void {
      start.disabled = false;
      if (problem) {
        words.textContent = sentence(problem);
        words.className = 'sheet-bad';
        start.focus();
        return;
      }
      closeSheet();
      around.done('已登记 ' + s.name + ' 的工作卡。');
    });
  });
  const body = readers.length > 1 ? [choices('哪个读卡器', readers, at, function (id): void { at = id; }), words] : [words];
  sheet('登记 ' + s.name + ' 的工作卡', body, [start], '取消');
}

function askRemove(s: StaffData): void {
  const words = said('注销以后，这张卡不能再登录；PIN 码不变。');
  sheet('注销 ' + s.name + ' 的工作卡', [words], [button('btn btn-bad', '注销', function (): void {
    send('/api/v1/staff/' + encodeURIComponent(s.id) + '/card/remove', {}, function (problem): void {
      if (problem) {
        words.textContent = sentence(problem);
        return;
      }
      closeSheet();
      around.done('已注销 ' + s.name + ' 的工作卡。');
    });
  })], '取消');
}

/** The card of an entry of the settings, nothing for one that is not in force yet. */
export function cardOf(item: Item<StaffData>): HTMLElement[] {
  if (isNew(item)) {
    return [];
  }
  const has = (setup<Setup>().carded || []).indexOf(item.data.id) >= 0;
  return [cardRow(item.data.id, has, function (): void { ask(item.data); }, function (): void { askRemove(item.data); })];
}
