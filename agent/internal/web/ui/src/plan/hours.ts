// Office hours as hall.yaml writes them, "mon-fri 08:30-12:00", and as people enter them.

import { button, make, mark } from '../lib/dom';

/** A part of the day on some days of the week, Monday first. */
export interface Span { days: boolean[]; from: string; to: string; }

const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const chinese = ['一', '二', '三', '四', '五', '六', '日'];

/** Reads a span, null if it is none. */
export function parseSpan(text: string): Span | null {
  const found = /^(\S+) (\d\d:\d\d)-(\d\d:\d\d)$/.exec(text);
  if (!found) {
    return null;
  }
  const days = [false, false, false, false, false, false, false];
  const parts = found[1].split(',');
  for (let i = 0; i < parts.length; i++) {
    const ends = parts[i].split('-');
    const first = names.indexOf(ends[0]);
    const last = names.indexOf(ends[ends.length - 1]);
    if (first < 0 || last < 0 || ends.length > 2) {
      return null;
    }
    for (let d = first; ; d = (d + 1) % 7) {
      days[d] = true;
      if (d === last) {
        break;
      }
    }
  }
  return { days: days, from: found[2], to: found[3] };
}

/** The days that follow each other, as pairs of the first and the last. */
function runs(days: boolean[]): number[][] {
  const out: number[][] = [];
  for (let d = 0; d < 7; d++) {
    if (!days[d]) {
      continue;
    }
    const last = out[out.length - 1];
    if (last && last[1] === d - 1) {
      last[1] = d;
    } else {
      out.push([d, d]);
    }
  }
  return out;
}

export function spanText(s: Span): string {
  const days = runs(s.days).map(function (r): string { return r[0] === r[1] ? names[r[0]] : names[r[0]] + '-' + names[r[1]]; });
  return days.join(',') + ' ' + s.from + '-' + s.to;
}

/** A span for people: "周一至周五 08:30–12:00". */
export function spoken(text: string): string {
  const s = parseSpan(text);
  if (!s) {
    return text;
  }
  const days = runs(s.days).map(function (r): string { return '周' + chinese[r[0]] + (r[0] === r[1] ? '' : '至周' + chinese[r[1]]); });
  return days.join('、') + ' ' + s.from + '–' + s.to;
}

/** What is wrong with hours, "" if nothing is. */
export function hoursWrong(hours: string[]): string {
  for (let i = 0; i < hours.length; i++) {
    const s = parseSpan(hours[i]);
    if (!s) {
      return '第 ' + (i + 1) + ' 段要选星期，时间写成 08:30 这样。';
    }
    if (s.from >= s.to) {
      return '第 ' + (i + 1) + ' 段的结束要晚于开始。';
    }
  }
  return '';
}

/** The fields of a queue's hours. onChange is given them as hall.yaml writes them. */
export function hoursForm(hours: string[], onChange: (hours: string[]) => void): HTMLElement {
  const spans: Span[] = hours.map(function (text): Span {
    const found = /(\S*)-(\S*)$/.exec(text); // what nobody can read is entered anew
    return parseSpan(text) || { days: [false, false, false, false, false, false, false], from: found ? found[1] : '', to: found ? found[2] : '' };
  });
  const box = make('div', 'hours');
  const tell = function (): void { onChange(spans.map(spanText)); };
  const draw = function (): void {
    while (box.firstChild) {
      box.removeChild(box.firstChild);
    }
    spans.forEach(function (s, i): void {
      box.appendChild(spanForm(s, i, tell, function (): void {
        spans.splice(i, 1);
        tell();
        draw();
      }));
    });
    if (spans.length === 0) {
      box.appendChild(make('p', 'hint', '没有写时间：全天都能取号。'));
    }
    box.appendChild(button('btn btn-small', '加一段时间', function (): void {
      const afternoon = spans.length > 0;
      spans.push({ days: [true, true, true, true, true, false, false], from: afternoon ? '14:30' : '08:30', to: afternoon ? '17:30' : '12:00' });
      tell();
      draw();
    }));
  };
  draw();
  return box;
}

function spanForm(s: Span, n: number, onChange: () => void, onRemove: () => void): HTMLElement {
  const row = make('div', 'span');
  row.setAttribute('role', 'group');
  row.setAttribute('aria-label', '第 ' + (n + 1) + ' 段取号时间');
  chinese.forEach(function (name, d): void {
    const b = button('btn btn-day', name, function (): void {
      s.days[d] = !s.days[d];
      press(b, s.days[d]);
      onChange();
    }, '第 ' + (n + 1) + ' 段周' + name);
    press(b, s.days[d]);
    row.appendChild(b);
  });
  const time = function (name: string, value: string, take: (text: string) => void): void {
    const input = make('input', 'field field-time num') as HTMLInputElement;
    input.type = 'text';
    input.maxLength = 5;
    input.value = value;
    input.setAttribute('aria-label', '第 ' + (n + 1) + ' 段' + name);
    input.setAttribute('autocomplete', 'off');
    input.addEventListener('input', function (): void {
      take(input.value.replace('：', ':'));
      onChange();
    });
    row.appendChild(input);
  };
  time('开始', s.from, function (text): void { s.from = text; });
  row.appendChild(make('span', 'dash', '–'));
  time('结束', s.to, function (text): void { s.to = text; });
  row.appendChild(button('btn btn-small btn-bad', '去掉', onRemove, '去掉第 ' + (n + 1) + ' 段'));
  return row;
}

/** Shows whether a button that stays down is down. */
export function press(b: HTMLElement, on: boolean): void {
  mark(b, 'btn-on', on);
  b.setAttribute('aria-pressed', on ? 'true' : 'false');
}
