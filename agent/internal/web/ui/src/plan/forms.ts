// The fields of an entry of the settings. Each writes into the draft as it is typed, and has its refusal under it.

import { button, make, mark } from '../lib/dom';
import { choices } from '../lib/sheet';
import { hoursForm, press } from './hours';
import { DayData, dateOf, dayOf, weekdays } from './days';
import { Data, Draft, Item, Kind, QueueData, StaffData, WindowData, isNew } from './draft';

export interface Form { draft: Draft; changed: () => void; }

let made = 0; // fields, for their ids

/** A field with its label, a hint and what is wrong with it. */
function field(item: Item<Data>, name: string, label: string, input: HTMLElement, hint: string): HTMLElement {
  const box = make('div', 'field-box');
  const id = 'field-' + (++made);
  const group = input.tagName !== 'INPUT';
  const l = make(group ? 'p' : 'label', 'field-label', label);
  if (!group) {
    input.id = id;
    (l as HTMLLabelElement).htmlFor = id;
  }
  box.appendChild(l);
  box.appendChild(input);
  if (hint) {
    box.appendChild(make('p', 'hint', hint));
  }
  const wrong = item.wrong[name];
  if (wrong) {
    box.className = 'field-box field-bad';
    const said = make('p', 'wrong', wrong);
    said.id = id + '-wrong';
    said.setAttribute('role', 'alert');
    input.setAttribute('aria-describedby', said.id);
    input.setAttribute('aria-invalid', 'true');
    box.appendChild(said);
    const clear = function (): void { // it is about what was there before
      delete item.wrong[name];
      if (said.parentNode) {
        box.removeChild(said);
        mark(box, 'field-bad', false);
        input.removeAttribute('aria-invalid');
        input.removeAttribute('aria-describedby');
      }
    };
    box.addEventListener('input', clear);
    box.addEventListener('click', function (e: Event): void {
      if (e.target !== input && (e.target as HTMLElement).tagName === 'BUTTON') {
        clear();
      }
    });
  }
  return box;
}

function line(f: Form, value: string, limit: number, take: (text: string) => void): HTMLInputElement {
  const input = make('input', 'field') as HTMLInputElement;
  input.type = 'text';
  input.maxLength = limit;
  input.value = value;
  input.setAttribute('autocomplete', 'off');
  input.addEventListener('input', function (): void {
    take(input.value);
    f.changed();
  });
  return input;
}

/** A number in a field, 0 for an empty one. */
function amount(text: string, pattern: RegExp): number {
  const t = text.replace(/\s/g, '');
  return t === '' ? 0 : pattern.test(t) ? +t : NaN;
}

/** Buttons of which several can be down. */
function toggles(name: string, list: { id: string; name: string }[], on: string[], change: (on: string[]) => void): HTMLElement {
  const box = make('div', 'choices');
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', name);
  let now = on;
  list.forEach(function (x): void {
    const b = button('btn', x.name, function (): void {
      const has = now.indexOf(x.id) >= 0;
      now = list.map(function (y): string { return y.id; }).filter(function (id): boolean { return id === x.id ? !has : now.indexOf(id) >= 0; });
      press(b, !has);
      change(now);
    });
    press(b, now.indexOf(x.id) >= 0);
    box.appendChild(b);
  });
  return box;
}

function named(list: Item<QueueData | WindowData>[], withID: boolean): { id: string; name: string }[] {
  return list.filter(function (i): boolean { return !i.removed && i.data.id !== ''; }).map(function (i): { id: string; name: string } {
    return { id: i.data.id, name: withID ? i.data.id + ' ' + i.data.name : i.data.name };
  });
}

/** The field of an id, which is fixed once it is in force: numbers, facts and machines know it by it. */
function idField(f: Form, kind: Kind, item: Item<Data>, label: string, hint: string): HTMLElement[] {
  if (!isNew(item)) {
    return [];
  }
  return [field(item, 'id', label, line(f, item.data.id, kind === 'staff' ? 32 : 8, function (text): void {
    const old = item.data.id;
    const id = kind === 'queues' ? text.toUpperCase().trim() : text.trim();
    item.data.id = id;
    const follow = function (ids: string[]): string[] { return ids.map(function (x): string { return x === old && old !== '' ? id : x; }); };
    const twin = (f.draft[kind] as Item<Data>[]).some(function (i): boolean { return i !== item && i.data.id === old; });
    if (kind === 'queues' && !twin) {
      f.draft.windows.forEach(function (w): void { w.data.queues = follow(w.data.queues); });
    }
    if (kind === 'windows' && !twin) {
      f.draft.staff.forEach(function (s): void { s.data.windows = follow(s.data.windows); });
    }
  }), hint)];
}

export function queueForm(f: Form, item: Item<QueueData>): HTMLElement[] {
  const d = item.data;
  const identity = choices('身份核对', [{ id: 'none', name: '不用' }, { id: 'optional', name: '可刷可不刷' }, { id: 'required', name: '必须刷身份证' }], d.identity,
    function (id): void {
      d.identity = id;
      f.changed();
    });
  return idField(f, 'queues', item, '编号', '一到两个大写字母，是号码的开头。保存以后不能改。').concat([
    field(item, 'name', '名称', line(f, d.name, 40, function (t): void { d.name = t.trim(); }), ''),
    field(item, 'dept', '部门', line(f, d.dept, 40, function (t): void { d.dept = t.trim(); }), ''),
    field(item, 'service_s', '通常办理几分钟', line(f, d.service_s ? '' + Math.round(d.service_s / 6) / 10 : '', 5, function (t): void {
      d.service_s = Math.round(amount(t, /^\d{1,3}(\.\d)?$/) * 60);
    }), '不知道就留空。'),
    field(item, 'quota', '每天最多给几个号', line(f, d.quota ? '' + d.quota : '', 6, function (t): void { d.quota = amount(t, /^\d{1,6}$/); }), '不限就留空。'),
    wide(field(item, 'identity', '身份核对', identity, '')),
    wide(field(item, 'hours', '取号时间', hoursForm(d.hours, function (h): void {
      d.hours = h;
      f.changed();
    }), ''))
  ]);
}

export function windowForm(f: Form, item: Item<WindowData>): HTMLElement[] {
  const d = item.data;
  return idField(f, 'windows', item, '编号', '1 到 8 个字母或数字。保存以后不能改。').concat([
    field(item, 'name', '名称', line(f, d.name, 40, function (t): void { d.name = t.trim(); }), ''),
    wide(field(item, 'queues', '办理的业务', toggles('办理的业务', named(f.draft.queues as Item<QueueData | WindowData>[], true), d.queues, function (on): void {
      d.queues = on;
      f.changed();
    }), ''))
  ]);
}

export function staffForm(f: Form, item: Item<StaffData>, again: () => void): HTMLElement[] {
  const d = item.data;
  const pin = line(f, d.pin || '', 64, function (t): void {
    if (t === '') {
      delete d.pin;
    } else {
      d.pin = t;
    }
  });
  pin.type = 'password';
  pin.setAttribute('autocomplete', 'new-password');
  pin.setAttribute('inputmode', 'numeric');
  const role = choices('身份', [{ id: 'clerk', name: '窗口人员' }, { id: 'manager', name: '主管' }], d.role, function (id): void {
    d.role = id;
    f.changed();
  });
  const where = choices('在哪些窗口', [{ id: 'every', name: '全部窗口' }, { id: 'some', name: '指定窗口' }], item.every ? 'every' : 'some', function (id): void {
    item.every = id === 'every';
    if (item.every) {
      d.windows = [];
    }
    again();
  });
  const places = make('div', '', undefined, [where]);
  if (!item.every) {
    places.appendChild(toggles('窗口', named(f.draft.windows as Item<QueueData | WindowData>[], false), d.windows, function (on): void {
      d.windows = on;
      f.changed();
    }));
  }
  return idField(f, 'staff', item, '工号', '字母、数字和下划线，登录用。保存以后不能改。').concat([
    field(item, 'name', '姓名', line(f, d.name, 40, function (t): void { d.name = t.trim(); }), ''),
    field(item, 'pin', isNew(item) ? 'PIN 码' : '新 PIN 码', pin, isNew(item) ? '4 到 64 位数字。' : '留空就不改。'),
    field(item, 'role', '身份', role, '主管能改设置、加开窗口、定时间。'),
    wide(field(item, 'windows', '在哪些窗口登录', places, ''))
  ]);
}

/** The card of a member of staff: whether there is one, and the presses that change it. They take effect at once, so nothing may be unsaved. */
export function cardRow(id: string, has: boolean, onEnrol: () => void, onRemove: () => void): HTMLElement {
  const box = make('div', 'choices');
  box.appendChild(button('btn', has ? '换一张卡' : '登记工作卡', onEnrol, '登记工作卡 ' + id));
  if (has) {
    box.appendChild(button('btn btn-bad', '注销', onRemove, '注销工作卡 ' + id));
  }
  return wide(make('div', 'field-box', undefined, [make('p', 'field-label', '工作卡：' + (has ? '已登记' : '没有登记')), box, make('p', 'hint', '马上生效，不用保存。卡号不存在这里，只存它的摘要。')]));
}

export function dayForm(f: Form, item: Item<DayData>, again: () => void): HTMLElement[] {
  const d = item.data;
  const set = function (date: string, as: string): void {
    item.data = dayOf(date, as);
    f.changed();
  };
  const kind = choices('这一天', [{ id: 'off', name: '放假，不取号' }, { id: 'on', name: '调休上班' }], d.as ? 'on' : 'off', function (id): void {
    set(item.data.id, id === 'off' ? '' : 'fri');
    again();
  });
  const fields = isNew(item) ? [field(item, 'id', '日期', line(f, d.id, 20, function (t): void { item.data = dayOf(dateOf(t), item.data.as); }), '例如 2026-10-01。')] : [];
  fields.push(field(item, 'as', '这一天', kind, '今天也可以改：保存后马上照办，已经取的号不受影响。'));
  if (d.as) {
    fields.push(wide(field(item, 'as', '按星期几的时间取号', choices('按星期几', weekdays, d.as, function (id): void { set(item.data.id, id); }), '')));
  }
  return fields;
}

function wide(box: HTMLElement): HTMLElement {
  box.className += ' field-wide';
  return box;
}
