// The settings: queues, windows and staff, changed here without the centre. Nothing happens in the hall until it is saved.

import { button, byId, empty, make, mark, show, text } from '../lib/dom';
import { request } from '../lib/http';
import { closeSheet, sheet } from '../lib/sheet';
import { Board, page, say, told } from '../board/desk';
import { readBlocks, turnBlocks } from './blocks';
import { DayData, dayAfter, dayOf, daySays } from './days';
import { cardOf, setUpCards } from './cards';
import { Form, dayForm, queueForm, staffForm, windowForm } from './forms';
import { spoken } from './hours';
import {
  Data, Draft, Item, Kind, QueueData, StaffData, WindowData, allChanges, changes, isChanged, isNew, kinds, loadDraft, mayBeSaved, save, wrongKind
} from './draft';

const titles: { [kind: string]: string } = { queues: '业务', windows: '窗口', staff: '人员', days: '假日调休' };
const roles: { [role: string]: string } = { clerk: '窗口人员', manager: '主管' };
const identities: { [identity: string]: string } = { none: '不刷身份证', optional: '可刷身份证', required: '必须刷身份证' };
/** Where the page, which loads itself anew after a change, finds what it has to say. */
const saidPlace = 'halledge.board.said';

let draft: Draft | null = null;
let kind: Kind = 'queues';
let blocks = false; // who is blocked is shown, and none of the draft
let saving = false;
let others = false; // somebody else has changed the settings meanwhile
let asked = false;
let leaving = false; // the changes are given up

/** Whether there is something that is not saved. */
export function unsaved(): boolean {
  return saving || !!draft && allChanges(draft) > 0;
}

/** Somebody else has changed the settings while there are changes here: they can only be made anew. */
export function changedElsewhere(): void {
  if (!saving) {
    others = true;
    drawState(); // what is being written stays under the hand
  }
}

/** Shows the settings; they are read the first time. */
export function openSettings(): void {
  if (draft || asked) {
    return;
  }
  asked = true;
  text(byId('plan-note'), '正在读取设置…');
  loadDraft(function (problem, d): void {
    asked = false;
    draft = d;
    readBlocks();
    text(byId('plan-note'), problem ? told(problem) : '');
    if (problem) {
      byId('plan-note').appendChild(button('btn btn-small', '再试一次', openSettings));
    }
    draw();
  });
}

/** What the page before this one had to say. */
export function sayLast(): void {
  try {
    const said = window.sessionStorage.getItem(saidPlace);
    window.sessionStorage.removeItem(saidPlace);
    if (said) {
      say(said);
    }
  } catch (_) { /* nothing is kept here */ }
}

/** Asks before a press on another part of the board throws away what is not saved. */
function askLeave(e: MouseEvent): void {
  const link = e.currentTarget as HTMLAnchorElement;
  if (!unsaved() || saving || !draft) {
    return;
  }
  e.preventDefault();
  sheet('改动还没有保存', [make('p', '', '有 ' + allChanges(draft) + ' 处改动，离开这一页就会丢掉。')], [
    button('btn btn-bad', '丢掉改动，离开', function (): void {
      leaving = true;
      window.location.href = link.href;
    })
  ], '留在这里');
}

export function setUpSettings(): void {
  setUpCards({
    unsaved: unsaved,
    done: function (words: string): void {
      try {
        window.sessionStorage.setItem(saidPlace, words);
      } catch (_) { /* nothing is kept here */ }
      window.location.reload();
    }
  });
  ['tab-live', 'tab-day', 'tab-rerun'].forEach(function (id): void { byId(id).addEventListener('click', askLeave); });
  kinds.forEach(function (k): void {
    byId('kind-' + k).addEventListener('click', function (): void {
      kind = k;
      blocks = false;
      draw();
    });
  });
  byId('kind-blocks').addEventListener('click', function (): void {
    blocks = true;
    readBlocks();
    draw();
  });
  byId('plan-add').addEventListener('click', add);
  byId('plan-discard').addEventListener('click', askDiscard);
  byId('plan-save').addEventListener('click', trySave);
  window.addEventListener('beforeunload', function (e: BeforeUnloadEvent): void {
    if (unsaved() && !saving && !leaving) {
      e.preventDefault();
      e.returnValue = '';
    }
  });
}

function draw(): void {
  const d = draft;
  show(byId('plan'), !!d);
  if (!d) {
    return;
  }
  turnBlocks(blocks);
  const list = byId('entries');
  empty(list);
  if (kind === 'queues') {
    d.queues.forEach(function (i): void { list.appendChild(entry(i, queueSays, function (f): HTMLElement[] { return queueForm(f, i); })); });
  } else if (kind === 'windows') {
    d.windows.forEach(function (i): void { list.appendChild(entry(i, windowSays, function (f): HTMLElement[] { return windowForm(f, i); })); });
  } else if (kind === 'days') {
    d.days.forEach(function (i): void { list.appendChild(entry(i, daySays, function (f): HTMLElement[] { return dayForm(f, i, draw); })); });
  } else {
    d.staff.forEach(function (i): void { list.appendChild(entry(i, staffSays, function (f): HTMLElement[] { return staffForm(f, i, draw).concat(cardOf(i)); })); });
  }
  if (d[kind].length === 0) {
    list.appendChild(make('li', 'none', '还没有' + titles[kind] + '。'));
  }
  text(byId('plan-add'), '添加' + titles[kind]);
  const wrong = byId('plan-wrong');
  empty(wrong);
  d.wrong.forEach(function (w): void { wrong.appendChild(make('p', '', w)); });
  show(wrong, d.wrong.length > 0);
  drawState();
}

/** Brings up to date what depends on the draft and not on which entry is open. */
function drawState(): void {
  const d = draft;
  if (!d) {
    return;
  }
  kinds.forEach(function (k): void {
    const n = changes(d, k);
    const b = byId('kind-' + k);
    text(b, titles[k] + ' ' + (d[k] as Item<Data>[]).filter(function (i): boolean { return !i.removed; }).length + (n ? '（改 ' + n + '）' : ''));
    mark(b, 'btn-on', !blocks && k === kind);
    b.setAttribute('aria-selected', !blocks && k === kind ? 'true' : 'false');
  });
  const n = allChanges(d);
  show(byId('plan-bar'), n > 0);
  text(byId('plan-count'), saving ? '正在保存…' : others ? '别人刚改过大厅的设置，这里的 ' + n + ' 处改动不能再保存。请放弃后在新的设置上改。' :
    '有 ' + n + ' 处改动还没有保存，大厅照旧运行。');
  byId<HTMLButtonElement>('plan-save').disabled = saving || others;
  byId<HTMLButtonElement>('plan-discard').disabled = saving;
}

function entry<T extends Data>(item: Item<T>, says: (d: T, item: Item<T>) => string, form: (f: Form) => HTMLElement[]): HTMLElement {
  const name = make('b', 'entry-name');
  const more = make('span', 'entry-more');
  const tag = make('span', 'tag');
  const buttons = make('span', 'entry-do');
  const head = function (): void {
    text(name, item.data.name || '（还没有名称）');
    text(more, says(item.data, item));
    text(tag, item.removed ? '将删除' : isNew(item as Item<Data>) ? '新增' : isChanged(item as Item<Data>) ? '已改' : '');
    for (let i = 0; i < buttons.children.length; i++) {
      buttons.children[i].setAttribute('aria-label', buttons.children[i].textContent + ' ' + titles[kind] + ' ' + item.data.id);
    }
    tag.className = !tag.textContent ? 'hidden-text' : item.removed ? 'tag tag-over' : 'tag tag-warm';
  };
  const add = function (className: string, what: string, onPress: () => void): void {
    buttons.appendChild(button('btn btn-small' + className, what, onPress));
  };
  if (item.removed) {
    add('', '不删了', function (): void {
      item.removed = false;
      draw();
    });
  } else {
    add('', item.open ? '收起' : '修改', function (): void {
      item.open = !item.open;
      draw();
    });
    add(' btn-bad', '删除', function (): void { askRemove(item as Item<Data>); });
  }
  head();
  const el = make('li', item.removed ? 'entry entry-removed' : 'entry', undefined, [
    make('div', 'entry-head', undefined, [make('b', 'queue-id', 'as' in item.data ? (item.data as DayData).as ? '班' : '休' : item.data.id || '新'), make('p', 'entry-says', undefined, [name, more]), tag, buttons])
  ]);
  if (item.open && !item.removed && draft) {
    el.appendChild(make('div', 'entry-form', undefined, form({
      draft: draft, changed: function (): void {
        head();
        drawState();
      }
    })));
  }
  if (item.removed) {
    el.appendChild(make('p', 'entry-warn', removeSays(item as Item<Data>)));
  }
  return el;
}

function queueSays(d: QueueData): string {
  const hours = d.hours.length ? d.hours.map(spoken).join('，') : '全天取号';
  return [d.dept, identities[d.identity] || d.identity, hours, d.quota ? '每天 ' + d.quota + ' 个号' : '不限号'].filter(Boolean).join(' · ');
}

function namesOf(list: Item<QueueData | WindowData>[], ids: string[]): string {
  return list.filter(function (i): boolean { return !i.removed && ids.indexOf(i.data.id) >= 0; }).map(function (i): string { return i.data.name; }).join('、');
}

function windowSays(d: WindowData): string {
  return draft && namesOf(draft.queues as Item<QueueData | WindowData>[], d.queues) || '还没有业务';
}

function staffSays(d: StaffData, item: Item<StaffData>): string {
  const where = item.every ? '全部窗口' : draft && namesOf(draft.windows as Item<QueueData | WindowData>[], d.windows) || '还没有窗口';
  return [roles[d.role] || d.role, where, d.pin && !isNew(item as Item<Data>) ? '换新 PIN 码' : ''].filter(Boolean).join(' · ');
}

/** What happens in the hall when an entry is removed. */
function removeSays(item: Item<Data>): string {
  const id = item.data.id;
  if (kind === 'windows') {
    return '保存后这个窗口立刻关闭。正在那里叫号或办理的群众回到队伍最前面，由别的窗口叫；只指定来这个窗口的，改由任一窗口叫。';
  }
  if (kind === 'staff') {
    return (id === page.me ? '这是您自己：' : '') + '保存后立刻退出登录，不能再登录。已经办过的号照样留有工号。';
  }
  if (kind === 'days') {
    return '保存后这一天和平常的' + item.data.name.slice(-3) + '一样取号。';
  }
  return '保存后不再取这个业务的号，各窗口也不再办理。已经办完的号不受影响。';
}

function askRemove(item: Item<Data>): void {
  if (isNew(item)) {
    const list = (draft as Draft)[kind] as Item<Data>[];
    list.splice(list.indexOf(item), 1);
    draw();
    return;
  }
  if (kind === 'queues') {
    askRemoveQueue(item);
    return;
  }
  sureRemove(item);
}

/** A queue goes when nobody is in it any more. */
function askRemoveQueue(item: Item<Data>): void {
  request<Board>({ method: 'GET', path: '/api/v1/board', as: page.as }, function (problem, board): void {
    const line = board ? board.queues.filter(function (q): boolean { return q.id === item.data.id; })[0] : null;
    if (problem) {
      say(told(problem), true);
    } else if (line && line.day.open > 0) {
      sheet('现在不能删除 ' + item.data.name, [
        make('p', '', '今天还有 ' + line.day.open + ' 位群众没有办完这个业务，其中 ' + line.waiting + ' 人在等候。'),
        make('p', '', '请先把“每天最多给几个号”改小，或改取号时间停止取号，办完以后再删。')
      ], [], '知道了');
    } else {
      sureRemove(item);
    }
  });
}

function sureRemove(item: Item<Data>): void {
  sheet('删除 ' + item.data.name + '？', [make('p', '', removeSays(item)), make('p', 'hint', '按“保存”才生效，保存前可以点“不删了”。')], [
    button('btn btn-bad', '删除', function (): void {
      item.removed = true;
      item.open = false;
      closeSheet();
      draw();
    })
  ], '取消');
}

/** The first of the ids that nothing has. */
function free(list: Item<Data>[], ids: string[]): string {
  const taken = list.map(function (i): string { return i.data.id; });
  return ids.filter(function (id): boolean { return taken.indexOf(id) < 0; })[0] || '';
}

function fresh<T extends Data>(data: T): Item<T> {
  return { data: data, was: '', removed: false, open: true, every: false, wrong: {} };
}

function add(): void {
  const d = draft;
  if (!d) {
    return;
  }
  if (kind === 'queues') {
    const id = free(d.queues as Item<Data>[], 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split(''));
    d.queues.push(fresh({ id: id, name: '', dept: '', identity: 'none', service_s: 0, hours: [], quota: 0 }));
  } else if (kind === 'windows') {
    const ids: string[] = [];
    for (let n = 1; n <= d.windows.length + 1; n++) {
      ids.push('' + n);
    }
    const id = free(d.windows as Item<Data>[], ids);
    d.windows.push(fresh({ id: id, name: id ? id + '号窗口' : '', queues: [] }));
  } else if (kind === 'days') {
    const last = d.days[d.days.length - 1];
    const follows = last && isNew(last as Item<Data>); // a long holiday is entered day by day
    d.days.push(fresh(dayOf(dayAfter(follows ? last.data.id : ''), follows ? last.data.as : '')));
  } else {
    d.staff.push(fresh({ id: '', name: '', role: 'clerk', windows: [] }));
  }
  draw();
  const entries = byId('entries').children;
  const input = entries[entries.length - 1].getElementsByTagName('input')[0];
  input.focus();
  entries[entries.length - 1].scrollIntoView();
}

function askDiscard(): void {
  sheet('放弃全部改动？', [make('p', '', '还没有保存的改动都会丢掉，恢复成大厅现在的设置。')], [
    button('btn btn-bad', '放弃改动', function (): void {
      closeSheet();
      draft = null;
      if (others) {
        window.location.reload();
        return;
      }
      openSettings();
    })
  ], '继续修改');
}

function trySave(): void {
  const d = draft;
  if (!d || saving) {
    return;
  }
  if (!mayBeSaved(d)) {
    refused(d, '有地方要改，还没有保存。');
    return;
  }
  saving = true;
  drawState();
  save(d, function (problem): void {
    if (problem) {
      saving = false;
      others = problem.code === 'plan_changed';
      if (problem.code === 'sign_in') {
        say('已经退出登录，没有保存。请在新的页面登录后再改。', true);
      }
      refused(d, told(problem));
      return;
    }
    try {
      window.sessionStorage.setItem(saidPlace, '设置已保存，大厅已按新的设置运行。');
    } catch (_) { /* the page says nothing then */ }
    window.location.reload();
  });
}

/** Shows why nothing was saved, at the field if there is one. */
function refused(d: Draft, why: string): void {
  const at = wrongKind(d);
  const here = (d[kind] as Item<Data>[]).some(function (i): boolean { return JSON.stringify(i.wrong) !== '{}'; });
  kind = here || !at ? kind : at;
  blocks = false;
  say(why, true);
  draw();
  const bad = document.querySelector<HTMLElement>('.field-bad');
  const first = bad && bad.querySelector<HTMLElement>('input, button');
  if (bad && first) {
    bad.scrollIntoView();
    first.focus();
  }
}
