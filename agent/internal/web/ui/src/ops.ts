// Operations: what is wrong and what to do about it, within ten seconds of a look.

import { clockOf, everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, mark, setup, show, text } from './lib/dom';
import { gate, signOut } from './lib/gate';
import { Condition, Hall } from './lib/hall';
import { request, sentence } from './lib/http';
import { listen } from './lib/live';
import { unlessLocked, watchLock } from './lib/lock';
import { startCameras } from './ops/cameras';
import { drawChecks } from './ops/checks';
import { Device, Devices } from './ops/device';
import { startLog } from './ops/log';
import { startPairing } from './ops/pairing';
import { drawSpares } from './ops/spares';
import { drawDevices, tickTests } from './ops/table';
import { drawState, openTrace, startTraces } from './ops/trace';

interface Setup { as: string; version: string; person: string; hall: string; }

const page = setup<Setup>();
const grades: { [severity: string]: string } = { info: '提示', warning: '注意', error: '故障' };

let devices: Device[] = [];
let health: Condition[] | null = null; // null until the hall has told

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

function look(): void {
  request<Devices>({ method: 'GET', path: '/api/v1/devices', as: page.as }, function (problem, answer): void {
    text(byId('devices-fault'), problem ? '设备的情况是旧的：' + sentence(problem) : '');
    if (answer) {
      devices = answer.devices;
      drawDevices(devices, page.as, function (d: Device): void { openTrace(d, page.as); });
      drawSpares(answer.found);
      drawVerdict();
    }
    window.setTimeout(look, 3000);
  });
}

function main(): void {
  watchLock();
  text(byId('hall'), page.hall + (page.person ? ' · ' + page.person : ''));
  byId('sign-out').addEventListener('click', function (): void { signOut(page.as); });
  everySecond(function (): void {
    text(byId('time'), timeText(new Date(now())));
    tickTests();
    drawState();
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  window.setTimeout(drawChecks, 1500); // once the server's time is known
  startTraces();
  look();
  startLog(page.as);
  startPairing(page.as);
  startCameras(page.as);
  listen({
    as: page.as,
    onHall: unlessLocked(function (hall: Hall): void {
      health = hall.health;
      drawHealth(hall.health);
    }),
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
