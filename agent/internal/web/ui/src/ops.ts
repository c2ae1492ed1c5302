// Operations: what is wrong and what to do about it, within ten seconds of a look.

import { clockOf, everySecond, follow, now, timeText } from './lib/clock';
import { byId, button, empty, make, mark, setup, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Condition, Hall } from './lib/hall';
import { command, request, sentence } from './lib/http';
import { listen } from './lib/live';

interface Device { name: string; class: string; model: string; state: string; code: string; since: string; advice: string; }
interface Line { seq: number; text: string; }
interface Setup { as: string; version: string; person: string; hall: string; }
interface Check { name: string; good: boolean; must: boolean; note: string; }

const page = setup<Setup>();
const classNames: { [name: string]: string } = {
  printer: '小票打印机', scanner: '扫码器', idcard: '身份证阅读器', screen: '显示屏', speaker: '音响', callpad: '叫号器', ratingpad: '评价器'
};
const stateNames: { [state: string]: string } = { starting: '启动中', ok: '正常', degraded: '需注意', offline: '未连上', unusable: '配置不能用' };
const codeNames: { [code: string]: string } = {
  offline: '未连上', timeout: '不应答', paper_out: '缺纸', paper_low: '纸快用完', cover_open: '盖没盖好', cutter: '切刀卡住', busy: '被占用',
  permission: '没有权限', bad_reply: '答非所问', bad_config: '配置不对', unsupported: '不支持'
};
const grades: { [severity: string]: string } = { info: '提示', warning: '注意', error: '故障' };
const maxLines = 400;

let devices: Device[] = [];
let health: Condition[] | null = null; // null until the hall has told
let tests: { [name: string]: { words: string; kind: string; busy: boolean } } = {};
let lastLine = 0;
let stopped = false;

function drawVerdict(): void {
  if (!health) {
    return;
  }
  let worst = 'ok';
  let count = 0;
  for (let i = 0; i < health.length; i++) {
    if (health[i].severity === 'error') {
      worst = 'error';
      count++;
    } else if (health[i].severity === 'warning') {
      worst = worst === 'error' ? worst : 'warning';
      count++;
    }
  }
  byId('verdict').className = 'verdict verdict-' + worst;
  text(byId('verdict-title'), worst === 'ok' ? '一切正常' : worst === 'warning' ? '能用，有 ' + count + ' 件事要注意' : '有 ' + count + ' 件事要处理');
  text(byId('verdict-text'), worst === 'ok' ? wellText() : '按下面写的办法做，办好后这里会自己变绿。');
}

/** 5 台设备都正常。 */
function wellText(): string {
  return devices.length > 0 ? devices.length + ' 台设备都正常，没有要处理的事。' : '没有要处理的事。';
}

function drawHealth(health: Condition[]): void {
  drawVerdict();
  show(byId('findings'), health.length > 0);
  const box = byId('health');
  empty(box);
  for (let i = 0; i < health.length; i++) {
    const c = health[i];
    box.appendChild(make('li', '', undefined, [
      make('span', 'grade grade-' + c.severity, grades[c.severity] || c.severity),
      make('div', '', undefined, [make('b', '', c.title + (c.subject ? '：' + c.subject : '')), make('p', '', c.advice || '')]),
      make('time', 'num', c.since ? clockOf(c.since) + ' 起' : '')
    ]));
  }
}

function drawDevices(): void {
  const rows = byId('devices');
  empty(rows);
  for (let i = 0; i < devices.length; i++) {
    const d = devices[i];
    const t = tests[d.name];
    const b = button('btn', t && t.busy ? '测试中…' : '测试', function (): void { test(d); });
    b.disabled = !!t && t.busy;
    b.setAttribute('aria-label', '测试 ' + d.name);
    rows.appendChild(make('tr', '', undefined, [
      make('td', '', d.name), make('td', 'nowrap', classNames[d.class] || d.class), make('td', '', d.model),
      make('td', '', undefined, [make('span', 'state state-' + d.state, codeNames[d.code] || stateNames[d.state] || d.state)]),
      make('td', 'nowrap num', clockOf(d.since)),
      make('td', 'advice' + (t && !t.busy ? ' advice-' + t.kind : ''), t && !t.busy ? t.words : d.advice), make('td', '', undefined, [b])
    ]));
  }
  if (devices.length === 0) {
    const none = make('td', 'none', '没有配置设备');
    none.setAttribute('colspan', '7');
    rows.appendChild(make('tr', '', undefined, [none]));
  }
}

function test(d: Device): void {
  tests[d.name] = { words: '', kind: '', busy: true };
  drawDevices();
  command<{ device: Device }>({ method: 'POST', path: '/api/v1/devices/' + encodeURIComponent(d.name) + '/test', as: page.as, timeoutMS: 40000 }, 0,
    function (problem): void {
      tests[d.name] = problem ? { words: sentence(problem), kind: 'bad', busy: false } : { words: '测试通过', kind: 'good', busy: false };
      drawDevices();
      window.setTimeout(function (): void {
        delete tests[d.name];
        drawDevices();
      }, 15000);
    });
}

let drawn = '';

function look(): void {
  request<{ devices: Device[] }>({ method: 'GET', path: '/api/v1/devices', as: page.as }, function (_, answer): void {
    const key = JSON.stringify(answer);
    if (answer && key !== drawn) { // a button must not be replaced under the mouse
      drawn = key;
      devices = answer.devices;
      drawDevices();
      drawVerdict();
    }
    window.setTimeout(look, 3000);
  });
}

function readLog(): void {
  request<{ lines: Line[] }>({ method: 'GET', path: '/api/v1/log?after=' + lastLine, as: page.as }, function (problem, answer): void {
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
    window.setTimeout(readLog, 2000);
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

function checks(): Check[] {
  const style = document.documentElement.style as unknown as { [name: string]: unknown };
  const off = Math.round(Math.abs(Date.now() - now()) / 1000);
  const probe = make('span', '', '国');
  document.body.appendChild(probe);
  const wide = probe.offsetWidth >= 10;
  document.body.removeChild(probe);
  return [
    { name: '页面脚本（ES5）', good: typeof Object.keys === 'function' && typeof JSON === 'object', must: true, note: '能看到本页就具备' },
    { name: '实时推送（SSE）', good: typeof EventSource !== 'undefined', must: false, note: '没有也能用：自动改为长轮询，更新慢约 1 秒' },
    { name: '弹性布局', good: 'flexBasis' in style || 'webkitFlexBasis' in style, must: true, note: '没有时页面会错位，请换浏览器' },
    { name: '动画', good: 'animationName' in style || 'webkitAnimationName' in style, must: false, note: '没有时新叫号不闪烁' },
    { name: '矢量图标（SVG）', good: !!document.createElementNS && !!document.createElementNS('http://www.w3.org/2000/svg', 'svg'), must: false, note: '没有时看不到图标，文字仍在' },
    { name: 'Cookie', good: navigator.cookieEnabled, must: true, note: '关闭时无法登录，请在浏览器设置里打开' },
    { name: '随机数', good: !!window.crypto, must: false, note: '没有时用时间代替，可用' },
    { name: '中文字体', good: wide, must: true, note: '缺字时请安装 fonts-noto-cjk 或微软雅黑' },
    { name: '触摸', good: 'ontouchstart' in window || navigator.maxTouchPoints > 0, must: false, note: '取号机应为触摸屏；窗口电脑不需要' },
    { name: '时钟', good: off <= 5, must: false, note: off <= 5 ? '与大厅服务器一致' : '本机差 ' + off + ' 秒；页面已按大厅时间显示，请校准本机' },
    { name: '屏幕 ' + window.screen.width + ' × ' + window.screen.height, good: window.screen.width >= 1024 || window.screen.height >= 1024, must: false, note: '窗口页需 1080 像素宽，取号机建议竖屏 1080 × 1920' }
  ];
}

function drawChecks(): void {
  const box = byId('checks');
  empty(box);
  const list = checks();
  for (let i = 0; i < list.length; i++) {
    const c = list[i];
    box.appendChild(make('li', '', undefined, [
      make('b', c.good ? 'yes' : c.must ? 'no' : 'soso', c.good ? '✓' : c.must ? '✗' : '—'),
      make('div', '', c.name, [make('small', '', c.note)])
    ]));
  }
  text(byId('agent'), navigator.userAgent);
}

function main(): void {
  text(byId('hall'), page.hall + (page.person ? ' · ' + page.person : ''));
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  byId('log-stop').addEventListener('click', function (): void {
    stopped = !stopped;
    text(byId('log-stop'), stopped ? '继续滚动' : '暂停滚动');
    byId('log-stop').setAttribute('aria-pressed', stopped ? 'true' : 'false');
  });
  everySecond(function (): void { text(byId('time'), timeText(new Date(now()))); });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  window.setTimeout(drawChecks, 1500); // once the server's time is known
  look();
  readLog();
  listen({
    as: page.as,
    onHall: function (hall: Hall): void {
      health = hall.health;
      drawHealth(hall.health);
    },
    onLive: function (live: boolean): void {
      mark(byId('live'), 'bar-live-bad', !live);
      text(byId('live-text'), live ? '已连接' : '正在重连…');
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

if (!gate(page.as)) {
  main();
}
