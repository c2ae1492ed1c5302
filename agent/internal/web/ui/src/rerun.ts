// A day played again under another order: 回放. The server plays it; the page asks, draws and says in a sentence what would have changed.

import { everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, setup, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Problem, request, sentence } from './lib/http';
import { watchLock } from './lib/lock';

interface Setup { as: string; version: string; person: string; queues?: { id: string; name: string }[]; }

const page = setup<Setup>();

function queueName(id: string): string {
  const found = (page.queues || []).filter(function (q): boolean { return q.id === id; })[0];
  return found ? found.name : id;
}

interface Figures { people: number; median_s: number; p80_s: number; longest_s: number; starved: number; left: number; }
interface Group { queue: string; 'class': string; recorded: Figures; before: Figures; after: Figures; }
interface Idle { window: string; recorded_s: number; before_s: number; after_s: number; }
interface Counts { [name: string]: number; }
interface Report {
  day: string; over: boolean; all: Group; classes: Group[]; groups: Group[]; windows: Idle[]; sooner: Counts; later: Counts; gone: string[];
  days: string[]; order: { weights: Counts; max_wait_min: number; priority_run: number };
}

const names: { [id: string]: string } = { '': '全部', normal: '普通', appointment: '预约', elder: '老幼残孕', priority: '依法优先' };

/** What may be changed: the name in the question, its label, what it is in, and its value in the order in force. */
interface Field { name: string; label: string; unit: string; now: (r: Report) => number; }
const fields: Field[] = [
  { name: 'elder', label: '老幼残孕的权重', unit: '%', now: function (r): number { return r.order.weights.elder || 100; } },
  { name: 'priority', label: '依法优先的权重', unit: '%', now: function (r): number { return r.order.weights.priority || 100; } },
  { name: 'max_wait', label: '等满多久先叫', unit: '分钟，0 不设', now: function (r): number { return r.order.max_wait_min; } },
  { name: 'priority_run', label: '优先号最多连叫', unit: '个，0 不限', now: function (r): number { return r.order.priority_run; } }
];

const inputs: { [name: string]: HTMLInputElement } = {};
const inForce: Counts = {}; // by field
let days: HTMLSelectElement | null = null;
let go: HTMLButtonElement | null = null;

function main(): void {
  watchLock();
  text(byId('person'), page.person);
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  everySecond(function (): void { text(byId('time'), timeText(new Date(now()))); });
  follow(page.as, page.version, function (): void { /* the next question tells */ }, function (): void { window.location.reload(); });
  const form = byId('rerun-form');
  days = make('select', 'field') as HTMLSelectElement;
  form.appendChild(labelled('rerun-day', '哪一天', days, ''));
  fields.forEach(function (f): void {
    const input = make('input', 'field num') as HTMLInputElement;
    input.maxLength = 4;
    input.setAttribute('inputmode', 'numeric');
    input.setAttribute('autocomplete', 'off');
    inputs[f.name] = input;
    form.appendChild(labelled('rerun-' + f.name, f.label, input, f.unit));
  });
  go = make('button', 'btn btn-main', '回放') as HTMLButtonElement;
  go.type = 'submit';
  form.appendChild(go);
  form.addEventListener('submit', function (e): void {
    e.preventDefault();
    ask();
  });
  ask();
}

function labelled(id: string, label: string, input: HTMLElement, unit: string): HTMLElement {
  const l = make('label', 'field-label', label, unit ? [make('small', '', unit)] : []) as HTMLLabelElement;
  input.id = l.htmlFor = id;
  return make('div', 'rerun-field', undefined, [l, input]);
}

/** The question as it stands in the form. What is empty or as it is in force is left out: queues may have orders of their own. */
function question(): string {
  const value = function (name: string): string {
    const v = inputs[name].value.replace(/\s/g, '');
    return v === '' + inForce[name] ? '' : v;
  };
  const weights = ['elder', 'priority'].filter(function (c): boolean { return value(c) !== ''; });
  const parts = [['day', days ? days.value : ''], ['weights', weights.map(function (c): string { return c + '=' + value(c); }).join(',')],
    ['max_wait', value('max_wait')], ['priority_run', value('priority_run')]];
  return parts.filter(function (p): boolean { return p[1] !== ''; }).map(function (p): string { return p[0] + '=' + encodeURIComponent(p[1]); }).join('&');
}

function ask(): void {
  if (go) {
    go.disabled = true;
  }
  text(byId('rerun-says'), '正在把这一天重走一遍…');
  request<Report>({ method: 'GET', path: '/api/v1/rerun?' + question(), as: page.as, timeoutMS: 15000 }, function (problem: Problem | null, r): void {
    if (go) {
      go.disabled = false;
    }
    byId('rerun-says').className = problem ? 'rerun-says rerun-bad' : 'rerun-says';
    show(byId('rerun-result'), !problem);
    if (r) {
      fill(r);
      draw(r);
    } else if (problem) {
      text(byId('rerun-says'), sentence(problem));
    }
  });
}

/** Puts into the form what was played: the days there are, and the order in force where nothing was written. */
function fill(r: Report): void {
  if (days && days.options.length !== r.days.length) {
    empty(days);
    for (let i = r.days.length - 1; i >= 0; i--) {
      const o = make('option', '', r.days[i]) as HTMLOptionElement;
      o.value = r.days[i];
      days.appendChild(o);
    }
    days.value = r.day;
  }
  fields.forEach(function (f): void {
    inForce[f.name] = f.now(r);
    if (inputs[f.name].value === '') {
      inputs[f.name].value = '' + inForce[f.name];
    }
  });
}

function minutes(s: number): string {
  return (s / 60).toFixed(1);
}

function sum(c: Counts): number {
  let n = 0;
  for (const k in c) {
    n += c[k];
  }
  return n;
}

/** What would have changed, in a sentence. */
function conclusion(r: Report): string {
  const said = r.classes.filter(function (g): boolean { return Math.abs(g.after.median_s - g.before.median_s) >= 6; }).map(function (g): string {
    const by = g.after.median_s - g.before.median_s;
    return names[g['class']] + '多半人的等候从 ' + minutes(g.before.median_s) + ' 分钟' + (by < 0 ? '缩短' : '延长') + '到 ' + minutes(g.after.median_s) + ' 分钟';
  });
  const sooner = sum(r.sooner);
  const later = sum(r.later);
  const starved = r.all.before.starved === r.all.after.starved ? '等候超时的还是 ' + r.all.after.starved + ' 人'
    : '等候超时的从 ' + r.all.before.starved + ' 人变成 ' + r.all.after.starved + ' 人';
  const day = r.day + (r.over ? '' : '（到现在为止）');
  if (r.all.before.people === 0) {
    return day + '没有人取号。';
  }
  if (sooner + later === 0 && said.length === 0) {
    return day + '照填写的规则叫号，结果和现行规则一样；' + starved + '。';
  }
  return day + '如果照填写的规则叫号：' + said.concat(['有 ' + sooner + ' 人会早一分钟以上叫到，' + later + ' 人会晚', starved]).join('；') + '。';
}

function draw(r: Report): void {
  text(byId('rerun-says'), conclusion(r));
  const box = byId('rerun-result');
  empty(box);
  if (r.gone.length) {
    box.appendChild(make('p', 'rerun-bad', r.gone.join('、') + ' 号窗口现在的设置里没有，回放里没有人在那里叫号。'));
  }
  const groups = [r.all].concat(r.classes);
  box.appendChild(make('div', 'box rerun-chart', undefined, [make('h2', '', '等候时间（分钟）'), chart(groups) as unknown as HTMLElement]));
  box.appendChild(make('div', 'box', undefined, [make('h2', '', '对比'), table(groups.concat(r.groups))]));
  const idle = r.windows.filter(function (w): boolean { return w.recorded_s + w.before_s + w.after_s > 0; }).map(function (w): string {
    return w.window + ' 号窗口 ' + minutes(w.recorded_s) + ' / ' + minutes(w.before_s) + ' / ' + minutes(w.after_s);
  });
  box.appendChild(make('p', 'hint', '有人等却空着的时间（分钟，实际 / 现行 / 新）：' + (idle.length ? idle.join('；') : '没有') + '。'));
}

interface Measure { name: string; of: (f: Figures) => number; }
const waits: Measure[] = [
  { name: '中位', of: function (f): number { return f.median_s; } }, { name: '八成以内', of: function (f): number { return f.p80_s; } },
  { name: '最久', of: function (f): number { return f.longest_s; } }
];

function table(groups: Group[]): HTMLElement {
  const heads = ['人数'].concat(waits.map(function (w): string { return w.name; }), ['超时', '没叫到']);
  const top = make('tr', '', undefined, [make('th', 'sheet-name', '谁')]);
  const under = make('tr', '', undefined, [make('th', 'sheet-name')]);
  heads.forEach(function (h): void {
    const th = make('th', '', h);
    const one = h === '人数';
    th.setAttribute('colspan', one ? '1' : '3');
    top.appendChild(th);
    (one ? [''] : ['实际', '现行', '新']).forEach(function (s): void { under.appendChild(make('th', '', s)); });
  });
  const body = make('tbody', '');
  groups.forEach(function (g): void {
    const who = (g.queue ? queueName(g.queue) + ' · ' : '') + names[g['class']];
    const tr = make('tr', g.queue === '' && g['class'] === '' ? 'sheet-total' : '', undefined, [make('th', 'sheet-name', who), make('td', '', '' + g.after.people)]);
    const three = [g.recorded, g.before, g.after];
    waits.forEach(function (w): void { three.forEach(function (f): void { tr.appendChild(make('td', '', minutes(w.of(f)))); }); });
    three.forEach(function (f): void { tr.appendChild(make('td', f.starved ? 'over' : '', '' + f.starved)); });
    three.forEach(function (f): void { tr.appendChild(make('td', '', '' + f.left)); });
    body.appendChild(tr);
  });
  return make('table', 'sheet-table num', undefined, [make('thead', '', undefined, [top, under]), body]);
}

const svgSpace = 'http://www.w3.org/2000/svg';

function shape(tag: string, attributes: { [name: string]: string | number }, says?: string): SVGElement {
  const made = document.createElementNS(svgSpace, tag) as SVGElement;
  for (const a in attributes) {
    made.setAttribute(a, '' + attributes[a]);
  }
  if (says !== undefined) {
    made.textContent = says;
  }
  return made;
}

const colours = ['#8fa3b8', '#1659b5'];

/** Bars of the waits of each class, before and after. */
function chart(groups: Group[]): SVGElement {
  const left = 170, wide = 620, bar = 14, pitch = 17, gap = 22;
  let longest = 60;
  groups.forEach(function (g): void { longest = Math.max(longest, g.before.longest_s, g.after.longest_s); });
  const high = 40 + groups.length * (waits.length * 2 * pitch + gap);
  const svg = shape('svg', { viewBox: '0 0 ' + (left + wide + 80) + ' ' + high, role: 'img', 'aria-label': '各类群众的等候时间，现行规则和新规则', 'class': 'rerun-svg' });
  ['现行规则', '新规则'].forEach(function (name, i): void {
    svg.appendChild(shape('rect', { x: left + i * 120, y: 4, width: bar, height: bar, fill: colours[i] }));
    svg.appendChild(shape('text', { x: left + i * 120 + 20, y: 16, 'font-size': 14, fill: '#33445b' }, name));
  });
  let y = 40;
  groups.forEach(function (g): void {
    svg.appendChild(shape('text', { x: 0, y: y + 13, 'font-size': 16, 'font-weight': 700, fill: '#0f4489' }, names[g['class']]));
    svg.appendChild(shape('text', { x: 0, y: y + 34, 'font-size': 14, fill: '#56677e' }, g.after.people + ' 人'));
    waits.forEach(function (w): void {
      svg.appendChild(shape('text', { x: left - 8, y: y + 21, 'font-size': 14, 'text-anchor': 'end', fill: '#56677e' }, w.name));
      [g.before, g.after].forEach(function (f, i): void {
        const long = Math.max(1, w.of(f) / longest * wide);
        svg.appendChild(shape('rect', { x: left, y: y, width: long, height: bar, fill: colours[i] }));
        svg.appendChild(shape('text', { x: left + long + 6, y: y + 12, 'font-size': 14, fill: '#33445b' }, minutes(w.of(f))));
        y += pitch;
      });
    });
    y += gap;
  });
  return svg;
}

if (!gate(page.as)) {
  main();
}
