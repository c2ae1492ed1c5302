// The draft of the hall's settings: what the director has changed and not saved. The live hall goes on beside it.

import { Problem, command, request } from '../lib/http';
import { Calendar, DayData, calendarOf, dateWrong, daysOf } from './days';
import { hoursWrong } from './hours';
import { page, told } from '../board/desk';

export interface QueueData { id: string; name: string; dept: string; identity: string; service_s: number; hours: string[]; quota: number; }
export interface WindowData { id: string; name: string; queues: string[]; }
export interface StaffData { id: string; name: string; role: string; windows: string[]; pin?: string; }

export type Kind = 'queues' | 'windows' | 'staff' | 'days';
export type Data = QueueData | WindowData | StaffData | DayData;

/** An entry of the draft. was is how it is in force, "" for a new one; wrong says what is wrong with which of its fields. */
export interface Item<T extends Data> {
  data: T; was: string; removed: boolean; open: boolean; every: boolean; wrong: { [field: string]: string };
}

export interface Draft {
  revision: number; queues: Item<QueueData>[]; windows: Item<WindowData>[]; staff: Item<StaffData>[]; days: Item<DayData>[]; wrong: string[];
}

interface Plan { revision: number; queues: QueueData[]; windows: WindowData[]; staff: StaffData[]; calendar: Calendar; }

export const kinds: Kind[] = ['queues', 'windows', 'staff', 'days'];

function itemsOf<T extends Data>(list: T[]): Item<T>[] {
  return list.map(function (d): Item<T> {
    return { data: d, was: JSON.stringify(d), removed: false, open: false, every: 'role' in d && (d as StaffData).windows.length === 0, wrong: {} };
  });
}

/** Reads the settings in force. */
export function loadDraft(done: (problem: Problem | null, draft: Draft | null) => void): void {
  request<Plan>({ method: 'GET', path: '/api/v1/plan', as: page.as }, function (problem, p): void {
    done(problem, p ? {
      revision: p.revision, queues: itemsOf(p.queues), windows: itemsOf(p.windows), staff: itemsOf(p.staff), days: itemsOf(daysOf(p.calendar)), wrong: []
    } : null);
  });
}

export function isNew(i: Item<Data>): boolean {
  return i.was === '';
}

export function isChanged(i: Item<Data>): boolean {
  return i.removed || JSON.stringify(i.data) !== i.was;
}

/** How many entries of a kind are not as they are in force. */
export function changes(d: Draft, kind: Kind): number {
  return (d[kind] as Item<Data>[]).filter(isChanged).length;
}

export function allChanges(d: Draft): number {
  return kinds.reduce(function (n, k): number { return n + changes(d, k); }, 0);
}

/** The ids of the entries that stay. */
function stay(list: Item<Data>[]): string[] {
  return list.filter(function (i): boolean { return !i.removed; }).map(function (i): string { return i.data.id; });
}

function only(ids: string[], known: string[]): string[] {
  return ids.filter(function (id): boolean { return known.indexOf(id) >= 0; });
}

/** The plan as the draft makes it: what is removed is named nowhere any more. */
function planOf(d: Draft): Plan {
  const queues = stay(d.queues);
  const windows = stay(d.windows);
  return {
    revision: d.revision,
    queues: kept(d.queues).map(function (i): QueueData { return i.data; }),
    windows: kept(d.windows).map(function (i): WindowData {
      return { id: i.data.id, name: i.data.name, queues: only(i.data.queues, queues) };
    }),
    staff: kept(d.staff).map(function (i): StaffData {
      const s: StaffData = { id: i.data.id, name: i.data.name, role: i.data.role, windows: i.every ? [] : only(i.data.windows, windows) };
      if (i.data.pin) {
        s.pin = i.data.pin;
      }
      return s;
    }),
    calendar: calendarOf(kept(d.days).map(function (i): DayData { return i.data; }))
  };
}

function kept<T extends Data>(list: Item<T>[]): Item<T>[] {
  return list.filter(function (i): boolean { return !i.removed; });
}

/** Looks at what would silently mean something else on the way to the hall, and notes it at its field. The hall checks the rest. */
function check(d: Draft): void {
  const p = planOf(d);
  kept(d.queues).forEach(function (i): void {
    note(i, 'hours', hoursWrong(i.data.hours));
    note(i, 'service_s', isNaN(i.data.service_s) ? '请填分钟数，不知道就留空。' : '');
    note(i, 'quota', isNaN(i.data.quota) ? '请填整数，不限就留空。' : '');
  });
  kept(d.windows).forEach(function (i, n): void {
    note(i, 'queues', p.windows[n].queues.length === 0 ? '请至少选一项业务。' : '');
  });
  let managers = 0;
  kept(d.staff).forEach(function (i, n): void {
    managers += i.data.role === 'manager' ? 1 : 0;
    note(i, 'windows', !i.every && p.staff[n].windows.length === 0 ? '请选窗口，或选“全部窗口”。' : '');
    const bad = i.data.pin ? !/^\d{4,64}$/.test(i.data.pin) : isNew(i);
    note(i, 'pin', bad ? 'PIN 码要用 4 到 64 位数字。' : '');
  });
  const days: string[] = [];
  kept(d.days).forEach(function (i): void {
    note(i, 'id', dateWrong(i.data.id) || (days.indexOf(i.data.id) >= 0 ? '这一天前面已经有了。' : ''));
    days.push(i.data.id);
  });
  if (managers === 0) {
    d.wrong.push('至少要留一位主管，否则以后没有人能改设置。');
  }
}

function note(i: Item<Data>, field: string, what: string): void {
  if (what) {
    i.wrong[field] = what;
    i.open = true;
  }
}

/** Notes the hall's refusal at the fields that it names. */
function refuse(d: Draft, p: Problem): void {
  const faults = (p as unknown as { problems?: { path: string; detail: string }[] }).problems || [];
  faults.forEach(function (f): void {
    const at = /^\$\.(queues|windows|staff)\[(\d+)\]\.(?:admission\.)?(\w+)/.exec(f.path);
    const item = at ? kept(d[at[1] as Kind] as Item<Data>[])[+at[2]] : null;
    if (at && item) {
      note(item, at[3], f.detail.replace(/([^。])$/, '$1。'));
      return;
    }
    const kiosk = /^\$\.kiosks\[(\d+)\]/.exec(f.path);
    d.wrong.push(kiosk ? '第 ' + (+kiosk[1] + 1) + ' 台取号机还列着要删的业务，请中心先改取号机。' : f.detail + '（' + f.path + '）');
  });
  if (faults.length === 0) {
    d.wrong.push(told(p));
  }
}

function clearWrong(d: Draft): void {
  d.wrong = [];
  kinds.forEach(function (k): void {
    (d[k] as Item<Data>[]).forEach(function (i): void { i.wrong = {}; });
  });
}

/** The kind of entries of which one is wrong, "" if none is. */
export function wrongKind(d: Draft): Kind | '' {
  for (let k = 0; k < kinds.length; k++) {
    if ((d[kinds[k]] as Item<Data>[]).some(function (i): boolean { return JSON.stringify(i.wrong) !== '{}'; })) {
      return kinds[k];
    }
  }
  return '';
}

/** Looks whether the draft can be saved; what is wrong is noted in it. */
export function mayBeSaved(d: Draft): boolean {
  clearWrong(d);
  check(d);
  return d.wrong.length === 0 && wrongKind(d) === '';
}

/** Saves the draft. done is told whether the hall works by it. */
export function save(d: Draft, done: (problem: Problem | null) => void): void {
  command<{ revision: number }>({ method: 'POST', path: '/api/v1/plan', as: page.as, body: planOf(d), timeoutMS: 60000 }, 20000, function (problem, answer): void {
    if (!answer) {
      if (problem) {
        refuse(d, problem);
      }
      done(problem);
      return;
    }
    inForce(answer.revision, 40, function (): void { done(null); });
  });
}

/** Waits until the hall works by a revision: storing it comes first. */
function inForce(revision: number, tries: number, done: () => void): void {
  request<Plan>({ method: 'GET', path: '/api/v1/plan', as: page.as }, function (problem, p): void {
    const gone = !!problem && (problem.status === 401 || problem.status === 403);
    if (p && p.revision >= revision || gone || tries === 0) {
      done();
      return;
    }
    window.setTimeout(function (): void { inForce(revision, tries - 1, done); }, 250);
  });
}
