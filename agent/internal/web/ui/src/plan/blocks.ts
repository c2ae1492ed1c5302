// 限制取号: who gets no numbers for a while, the way to add somebody, and to lift that before its time. It happens at once; it is no part of the draft.

import { clockOf, dayText, now } from '../lib/clock';
import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { request } from '../lib/http';
import { askReason, choices, closeSheet, sheet } from '../lib/sheet';
import { order, page, staffName, told } from '../board/desk';

/** A person is only known by the hall's own digest of the identity number. */
interface Block { person: string; until: string; everywhere: boolean; reason: string; staff: string; }

const reasons = ['群众申诉成立', '限制时登记有误', '特殊困难群众', '主管同意提前解除'];

const causes = ['三次预约没有来', '多次过号不到', '替人占号', '扰乱秩序'];

/** Asks who shall get no numbers, for how long and why. The number of the card goes to the hall's digest and nowhere else. */
function askBlock(): void {
  let days = '30';
  let everywhere = false;
  let reason = causes[0];
  const input = make('input', 'field') as HTMLInputElement;
  input.maxLength = 18;
  input.setAttribute('aria-label', '身份证号');
  input.setAttribute('autocomplete', 'off');
  const wrong = make('p', 'wrong');
  wrong.setAttribute('role', 'alert');
  input.addEventListener('input', function (): void { text(wrong, ''); });
  sheet('限制一个人取号', [
    make('p', '', '身份证号。只用来算出一个代号，不会记下来。'), input, wrong,
    choices('多久', [{ id: '7', name: '7 天' }, { id: '30', name: '30 天' }, { id: '90', name: '90 天' }], days, function (id): void { days = id; }),
    choices('在哪里', [{ id: '', name: '只限网上取号' }, { id: 'all', name: '现场也不能取号' }], '', function (id): void { everywhere = id === 'all'; }),
    choices('原因', causes.map(function (c): { id: string; name: string } { return { id: c, name: c }; }), reason, function (id): void { reason = id; })
  ], [button('btn btn-main', '限制取号', function (): void {
    const number = input.value.trim().toUpperCase();
    if (!/^\d{17}[\dX]$/.test(number)) {
      text(wrong, '请填 18 位身份证号。');
      input.focus();
      return;
    }
    closeSheet();
    order('/api/v1/blocks', {
      id_number: number, until: new Date(now() + +days * 86400000).toISOString(), everywhere: everywhere, reason: reason
    }, '已限制取号', readBlocks);
  })], '取消');
  input.focus();
}

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
    box.appendChild(make('li', 'entry', undefined, [button('btn', '限制一个人取号', askBlock)]));
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
