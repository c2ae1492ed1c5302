// The end of the log, as it grows.

import { clockOf } from '../lib/clock';
import { byId, make, text } from '../lib/dom';
import { request } from '../lib/http';

interface Line { seq: number; text: string; }

const maxLines = 400;

let lastLine = 0;
let stopped = false;

export function startLog(as: string): void {
  byId('log-stop').addEventListener('click', function (): void {
    stopped = !stopped;
    text(byId('log-stop'), stopped ? '继续滚动' : '暂停滚动');
    byId('log-stop').setAttribute('aria-pressed', stopped ? 'true' : 'false');
  });
  readLog(as);
}

function readLog(as: string): void {
  request<{ lines: Line[] }>({ method: 'GET', path: '/api/v1/log?after=' + lastLine, as: as }, function (problem, answer): void {
    const box = byId('log');
    if (problem && problem.status === 403) {
      text(box, '这个身份不能看日志。');
      return;
    }
    for (let i = 0; answer && i < answer.lines.length; i++) {
      const l = answer.lines[i];
      lastLine = l.seq;
      const level = /level"?[=:]"?ERROR/.test(l.text) ? 'log-error' : /level"?[=:]"?WARN/.test(l.text) ? 'log-warn' : '';
      box.appendChild(make('div', level, readable(l.text)));
    }
    while (box.children.length > maxLines) {
      box.removeChild(box.children[0]);
    }
    if (!stopped && answer && answer.lines.length > 0) {
      box.scrollTop = box.scrollHeight;
    }
    window.setTimeout(function (): void { readLog(as); }, 2000);
  });
}

/** A line of the log as people read it: the hall's time, the level, the message, and what else it says. */
function readable(raw: string): string {
  let line: { [key: string]: unknown };
  try {
    line = JSON.parse(raw) as { [key: string]: unknown };
  } catch (_) {
    return raw; // too long, and cut
  }
  const time = String(line.time);
  let out = clockOf(time) + time.slice(16, 19) + ' ' + line.level + ' ' + line.msg;
  for (const key in line) {
    if (key !== 'time' && key !== 'level' && key !== 'msg') {
      out += '  ' + key + '=' + (typeof line[key] === 'string' ? line[key] : JSON.stringify(line[key]));
    }
  }
  return out;
}
