// The table of the devices. Its rows stay while what they tell changes: a button must not go away under the mouse or the keyboard.

import { clockOf } from '../lib/clock';
import { byId, button, empty, make, phrases, show, text } from '../lib/dom';
import { command, sentence } from '../lib/http';
import { classOf, Device, endOf, isPage, stateOf, testOf, waitOf } from './device';

interface Row {
  device: Device;
  title: HTMLElement; model: HTMLElement; node: HTMLElement; port: HTMLElement; state: HTMLElement; since: HTMLElement; links: HTMLElement;
  jobs: HTMLElement; advice: HTMLElement; detail: HTMLElement; test: HTMLButtonElement; trace: HTMLButtonElement;
}
interface Test { words: string; kind: string; busy: boolean; until: number; }

const testS = 20; // that people have
const resultMS = 30000; // that a result is shown

let rows: { [name: string]: Row } = {};
let tests: { [name: string]: Test } = {};
let drawn = ''; // the names in the table

/** Shows devices. as is whose cookie counts; trace opens the record of a device. */
export function drawDevices(list: Device[], as: string, trace: (d: Device) => void): void {
  const names = list.map(function (d) { return d.name; }).join(' ');
  if (names !== drawn || list.length === 0) {
    drawn = names;
    rows = {};
    const body = byId('devices');
    empty(body);
    for (let i = 0; i < list.length; i++) {
      body.appendChild(rowOf(list[i], as, trace));
    }
  }
  show(byId('devices-table'), list.length > 0);
  show(byId('devices-none'), list.length === 0);
  for (let i = 0; i < list.length; i++) {
    rows[list[i].name].device = list[i];
    drawRow(rows[list[i].name]);
  }
}

function rowOf(d: Device, as: string, trace: (d: Device) => void): HTMLElement {
  const small = function (): HTMLElement { return make('small', ''); };
  const row: Row = {
    device: d, title: make('span', ''), model: small(), node: make('span', ''), port: small(), state: make('span', ''), since: make('small', 'num'),
    links: make('span', ''), jobs: small(), advice: make('div', 'advice'), detail: make('small', 'detail'),
    test: button('btn', '', function (): void { test(row, as); }, testOf(d) + ' ' + d.name),
    trace: button('btn', '', function (): void { trace(row.device); }, '收发记录 ' + d.name)
  };
  rows[d.name] = row;
  return make('tr', '', undefined, [
    make('td', '', undefined, [make('b', '', d.name), make('small', '', classOf(d))]), make('td', '', undefined, [row.title, row.model]),
    make('td', 'where', undefined, [row.node, row.port]), make('td', '', undefined, [row.state, row.since]),
    make('td', 'num', undefined, [row.links, row.jobs]), make('td', '', undefined, [row.advice, row.detail]), make('td', 'acts', undefined, [row.test, row.trace])
  ]);
}

function drawRow(row: Row): void {
  const d = row.device;
  const c = d.counters;
  const title = /^([^（]*)(?:（(.*)）)?$/.exec(d.title); // LED 条屏（仰邦 K 系列字库卡，单行）
  text(row.title, title && title[1] || d.title || '没有这个型号');
  text(row.model, (title && title[2] ? title[2] + ' ' : '') + d.model);
  const node = d.node || d.where;
  paths(row.node, node.replace(/^\/.+(?=(\/[^\/]+){2}$)/, '…')); // …/dev/ttyUSB0 of one that is deep
  row.node.title = node;
  text(row.port, (d.port ? '插口 ' + d.port + ' ' : '') + (d.identity ? '编号 ' + d.identity : ''));
  text(row.state, stateOf(d));
  row.state.className = 'state state-' + d.state;
  text(row.since, clockOf(d.since) + ' 起');
  text(row.links, '接通 ' + c.opens + '，失败 ' + c.failures);
  text(row.jobs, '完成 ' + c.jobs + '，乱码 ' + c.garbage);
  show(row.trace, !isPage(d));
  text(row.trace, d.tracing ? '记录中…' : '收发记录');
  let t: Test | undefined = tests[d.name];
  if (t && t.kind === 'good' && d.state !== 'ok') { // what was well is so no more
    delete tests[d.name];
    t = undefined;
  }
  row.test.disabled = !!t && t.busy;
  text(row.test, t && t.busy ? '测试中…' : testOf(d));
  row.advice.className = 'advice' + (t ? ' advice-' + t.kind : '');
  phrases(row.advice, t ? wordsOf(d, t) : d.advice || (d.blind && d.state === 'ok' ? '它不会报告自己的状态，试一下就知道。' : ''));
  paths(row.detail, !t && d.state !== 'ok' ? d.detail : '');
}

/** Text whose lines break after the slashes of a path, where people read it apart, rather than in a word. */
function paths(target: HTMLElement, words: string): void {
  if (target.textContent === words) {
    return;
  }
  empty(target);
  (words.match(/[^\/]*\/?/g) || []).forEach(function (part): void {
    target.appendChild(document.createTextNode(part));
    target.appendChild(document.createElement('wbr'));
  });
}

/** What is said of the test of a device; empty for nothing. */
export function testWords(name: string): string {
  const t = tests[name];
  return t && rows[name] ? wordsOf(rows[name].device, t) : '';
}

/** Tests the device of a name, as its button does. */
export function testByName(name: string, as: string): void {
  if (rows[name] && !(tests[name] && tests[name].busy)) {
    test(rows[name], as);
  }
}

/** What is said in the place of the advice while a device is tested, and for a while after that. */
function wordsOf(d: Device, t: Test): string {
  if (!t.busy) {
    return t.words;
  }
  return waitOf(d) ? waitOf(d) + '，还有 ' + Math.max(0, Math.ceil((t.until - Date.now()) / 1000)) + ' 秒…' : '正在测试…';
}

/** Counts down for those who are waited for. */
export function tickTests(): void {
  for (const name in tests) {
    if (tests[name].busy && rows[name]) {
      drawRow(rows[name]);
    }
  }
}

function test(row: Row, as: string): void {
  const name = row.device.name;
  const t: Test = { words: '', kind: 'busy', busy: true, until: Date.now() + testS * 1000 };
  tests[name] = t;
  drawRow(row);
  command<{ device: Device }>({ method: 'POST', path: '/api/v1/devices/' + encodeURIComponent(name) + '/test', as: as, timeoutMS: 40000 }, 0,
    function (problem): void {
      t.busy = false;
      t.words = problem ? sentence(problem) : endOf(row.device);
      t.kind = problem ? 'bad' : 'good';
      byId('said').textContent = name + '：' + t.words;
      if (rows[name]) {
        drawRow(rows[name]);
      }
      window.setTimeout(function (): void {
        if (tests[name] === t) {
          delete tests[name];
        }
        if (rows[name]) {
          drawRow(rows[name]);
        }
      }, resultMS);
    });
}
