// The bytes between a device and the hall's machine, as they pass. What people show to readers and scanners never comes here.

import { clockOf } from '../lib/clock';
import { byId, empty, make, mark, show, text } from '../lib/dom';
import { command, Problem, request, sentence } from '../lib/http';
import { Device, testOf } from './device';
import { testByName, testWords } from './table';

interface Entry { seq: number; at: string; way: string; length: number; hex: string; text: string; }
interface Record { on: boolean; left_s: number; masked: boolean; entries: Entry[]; }

const minutes = 5;
const maxLines = 500;
const notes: { [text: string]: string } = { opened: '接通', closed: '断开' };

let name = ''; // of the device whose record is shown; empty: none
let whose = '';
let last = 0;
let until = 0; // when the record ends; 0: it does not run
let opener: HTMLElement | null = null; // had the focus before
let waiting = 0; // counts the looks, so that only one goes on

/** Shows the record of a device. */
export function openTrace(d: Device, as: string): void {
  if (!name) {
    opener = document.activeElement as HTMLElement | null;
  }
  name = d.name;
  whose = as;
  reset();
  text(byId('trace-title'), '收发记录：' + d.name);
  text(byId('trace-note'), '');
  text(byId('trace-test'), testOf(d));
  show(byId('trace'), true);
  byId('trace-start').focus();
  byId('trace').scrollIntoView();
  look(++waiting);
}

export function startTraces(): void {
  text(byId('trace-start'), '开始记录 ' + minutes + ' 分钟');
  byId('trace-start').addEventListener('click', function (): void { turn(minutes); });
  byId('trace-stop').addEventListener('click', function (): void {
    byId('trace-start').focus(); // this button can be pressed no more
    turn(0);
  });
  byId('trace-test').addEventListener('click', function (): void {
    testByName(name, whose);
    drawState();
  });
  byId('trace-close').addEventListener('click', close);
  document.addEventListener('keydown', function (e: KeyboardEvent): void {
    if (name && (e.key === 'Escape' || e.key === 'Esc')) {
      close();
    }
  });
}

function close(): void {
  name = '';
  waiting++;
  show(byId('trace'), false);
  if (opener && opener.focus) {
    opener.focus();
  }
}

function reset(): void {
  last = 0;
  until = 0;
  empty(byId('trace-list'));
  drawState();
}

function path(): string { return '/api/v1/devices/' + encodeURIComponent(name) + '/trace'; }

function turn(on: number): void {
  if (on) {
    empty(byId('trace-list')); // the record begins anew
  }
  command({ method: 'POST', path: path(), as: whose, body: { minutes: on } }, 4000, function (problem): void {
    told(problem);
    look(++waiting);
  });
}

/** Says what went wrong; nothing if nothing did. */
function told(problem: Problem | null): void {
  text(byId('trace-fault'), !problem ? '' : problem.status === 403 ? '这个身份不能看收发记录。' : sentence(problem));
}

function look(mine: number): void {
  if (mine !== waiting || !name) {
    return;
  }
  request<Record>({ method: 'GET', path: path() + '?after=' + last, as: whose }, function (problem, record): void {
    if (mine !== waiting) {
      return;
    }
    told(problem);
    if (record) {
      until = record.on ? Date.now() + record.left_s * 1000 : 0;
      text(byId('trace-note'), record.masked ? '这类设备发来的内容可能和个人有关，只记录有多少字节。' : '');
      add(record);
      drawState();
    }
    window.setTimeout(function (): void { look(mine); }, 1000);
  });
}

function add(record: Record): void {
  const list = byId('trace-list');
  show(list, list.children.length + record.entries.length > 0); // what is hidden cannot be scrolled
  const low = list.scrollHeight - list.scrollTop - list.clientHeight < 40; // else somebody reads further up
  for (let i = 0; i < record.entries.length; i++) {
    const e = record.entries[i];
    last = e.seq;
    list.appendChild(make('div', 'trace-' + e.way, undefined, [
      make('span', 'trace-at', timeOf(e.at)), make('b', '', e.way === 'in' ? '← 收' : e.way === 'out' ? '→ 发' : '·'),
      make('span', 'trace-bytes', e.way === 'note' ? notes[e.text] || e.text : bytesOf(e, record.masked))
    ]));
  }
  while (list.children.length > maxLines) {
    list.removeChild(list.children[0]);
  }
  if (low && record.entries.length > 0) {
    list.scrollTop = list.scrollHeight;
  }
}

/** 10:32:05.12 */
function timeOf(at: string): string {
  const parts = /:\d\d(:\d\d)(\.\d+)?/.exec(at);
  return clockOf(at) + (parts ? parts[1] + ((parts[2] || '.') + '000').slice(0, 4) : ''); // the server leaves the last noughts out
}

/** 10 04 01（3 字节）. */
function bytesOf(e: Entry, masked: boolean): string {
  const pairs = (e.hex.match(/../g) || []).join(' ').toUpperCase();
  const hidden = e.length - e.hex.length / 2;
  const rest = hidden === 0 ? '' : masked && e.way === 'in' ? hidden + ' 字节不显示' : '后面还有 ' + hidden + ' 字节';
  return (pairs ? pairs + '　' : '') + '（' + (rest || '共 ' + e.length + ' 字节') + '）';
}

/** Shows whether the record runs, and how long it still does. */
export function drawState(): void {
  const left = Math.max(0, Math.round((until - Date.now()) / 1000));
  const on = until > 0 && left > 0;
  const s = left % 60;
  text(byId('trace-left'), on ? '记录中，还有 ' + Math.floor(left / 60) + ' 分 ' + (s < 10 ? '0' : '') + s + ' 秒' : '没有在记录');
  mark(byId('trace-left'), 'trace-on', on);
  (byId('trace-stop') as HTMLButtonElement).disabled = !on;
  text(byId('trace-said'), testWords(name));
  const none = byId('trace-list').children.length === 0;
  show(byId('trace-none'), none);
  show(byId('trace-list'), !none);
  text(byId('trace-none'), on ? '还没有数据。按左边的测试按钮，或者让设备动一动。' : '没有记录。按“开始记录”，再让设备动一动。');
}
