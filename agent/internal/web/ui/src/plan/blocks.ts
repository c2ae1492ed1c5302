// 限制取号: who gets no numbers for a while, and the way to lift that before its time. It happens at once; it is no part of the draft.

import { clockOf, dayText } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { request } from '../lib/http';
import { askReason } from '../lib/sheet';
import { order, page, staffName, told } from '../board/desk';

/** A person is only known by the hall's own digest of the identity number. */
interface Block { person: string; until: string; everywhere: boolean; reason: string; staff: string; }

const reasons = ['群众申诉成立', '限制时登记有误', '特殊困难群众', '主管同意提前解除'];

/** Reads who is blocked. */
export function readBlocks(): void {
  const box = byId('blocks');
  request<{ items: Block[]; total: number }>({ method: 'GET', path: '/api/v1/blocks', as: page.as }, function (problem, answer): void {
    empty(box);
    if (!answer) {
      box.appendChild(make('li', 'none', problem ? told(problem) : ''));
      return;
    }
    text(byId('kind-blocks'), '限制取号 ' + answer.total);
    answer.items.forEach(function (b, n): void { box.appendChild(entry(b, n + 1)); });
    if (answer.items.length === 0) {
      box.appendChild(make('li', 'none', '现在没有人被限制取号。'));
    }
  });
}

function entry(b: Block, n: number): HTMLElement {
  const until = dayText(b.until.slice(0, 10)) + ' ' + clockOf(b.until);
  const who = b.staff ? staffName(b.staff) + ' 登记' : '系统登记';
  return make('li', 'entry', undefined, [make('div', 'entry-head', undefined, [
    make('b', 'queue-id num', '' + n),
    make('p', 'entry-says', undefined, [
      make('b', 'entry-name', b.reason || '没有写原因'),
      make('span', 'entry-more num', (b.everywhere ? '现场和网上都不能取号' : '不能网上取号，现场照常') + ' · 到 ' + until + ' 自动解除 · ' + who)
    ]),
    make('span', 'entry-do', undefined, [button('btn btn-small', '提前解除', function (): void {
      askReason('提前解除第 ' + n + ' 条限制，理由是', reasons, function (reason): void {
        order('/api/v1/blocks', { person: b.person, until: new Date(0).toISOString(), everywhere: b.everywhere, reason: reason }, '已解除限制，可以取号了', readBlocks);
      }, '取消');
    }, '提前解除 第 ' + n + ' 条')])
  ])]);
}

/** Shows the list in place of the draft, or the draft again. */
export function turnBlocks(on: boolean): void {
  show(byId('blocks'), on);
  show(byId('entries'), !on);
  show(byId('plan-add'), !on);
  text(byId('plan-hint'), on ? '解除马上生效，理由会记入日志。名单里没有姓名和证件号。' : '在本厅修改，不用等中心；保存后各页面自动更新。');
  mark(byId('kind-blocks'), 'btn-on', on);
  byId('kind-blocks').setAttribute('aria-selected', on ? 'true' : 'false');
}
