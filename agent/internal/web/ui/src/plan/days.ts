// The days that are not like their day of the week: 放假 and 调休上班, as hall.yaml writes them and as people enter them.

import { dayText, now } from '../lib/clock';

/** rules.calendar of the plan: dates without numbers, and dates with the weekday whose hours hold. */
export interface Calendar { holidays: string[]; workdays: { [date: string]: string }; }

/** A day; id is its date, "2026-10-01", name the same for people, as the weekday whose hours hold, "" for a holiday. */
export interface DayData { id: string; name: string; as: string; }

/** The weekdays as hall.yaml writes them. */
export const weekdays = [
  { id: 'mon', name: '星期一' }, { id: 'tue', name: '星期二' }, { id: 'wed', name: '星期三' }, { id: 'thu', name: '星期四' },
  { id: 'fri', name: '星期五' }, { id: 'sat', name: '星期六' }, { id: 'sun', name: '星期日' }
];

export function dayOf(date: string, as: string): DayData {
  return { id: date, name: dateWrong(date) ? date : dayText(date), as: as };
}

/** The days of a calendar, the earliest first. */
export function daysOf(c: Calendar): DayData[] {
  const out = c.holidays.map(function (date): DayData { return dayOf(date, ''); });
  Object.keys(c.workdays).forEach(function (date): void { out.push(dayOf(date, c.workdays[date])); });
  return out.sort(function (a, b): number { return a.id < b.id ? -1 : a.id > b.id ? 1 : 0; });
}

export function calendarOf(days: DayData[]): Calendar {
  const c: Calendar = { holidays: [], workdays: {} };
  days.forEach(function (d): void {
    if (d.as) {
      c.workdays[d.id] = d.as;
    } else {
      c.holidays.push(d.id);
    }
  });
  return c;
}

/** Writes a date as hall.yaml does: 2026年10月1日, 2026/10/1 and 2026-10-1 are 2026-10-01. */
export function dateOf(text: string): string {
  const found = /^\s*(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?\s*$/.exec(text);
  return found ? found[1] + '-' + ('0' + found[2]).slice(-2) + '-' + ('0' + found[3]).slice(-2) : text.trim();
}

/** What is wrong with a date, "" if nothing is. */
export function dateWrong(date: string): string {
  const at = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(date + 'T00:00:00Z') : NaN;
  return !isNaN(at) && new Date(at).toISOString().slice(0, 10) === date ? '' : '请写成 2026-10-01 这样的日期。';
}

/** The day after a date, or tomorrow if it is none. */
export function dayAfter(date: string): string {
  const at = dateWrong(date) ? now() : Date.parse(date + 'T00:00:00Z');
  return new Date(at + 86400000).toISOString().slice(0, 10);
}

/** What a day means for those who come. */
export function daySays(d: DayData): string {
  const as = weekdays.filter(function (w): boolean { return w.id === d.as; })[0];
  return as ? '调休上班，按' + as.name + '的时间取号' : '放假，不取号';
}
