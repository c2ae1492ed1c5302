// The cameras of the hall, and by what they are known. One that was replaced is let in here, by somebody who has looked at it.

import { clockOf } from '../lib/clock';
import { byId, button, empty, make, show, text } from '../lib/dom';
import { command, request, sentence } from '../lib/http';

interface Machine { mac: string; key: string; says: string; }
interface Camera {
  code: string; name: string; state: string; reason: string; since: string; known: Machine; seen: Machine; verdict: string; written: boolean;
}

const lookMS = 5000;
const sureMS = 6000; // that the button asks whether it is meant
const stateNames: { [state: string]: string } = {
  relaying: '正常', idle: '没有人看', connecting: '正在连接', degraded: '不顺畅', offline: '没有画面', auth_failed: '密码不对'
};

let drawn = '';

export function startCameras(as: string): void { look(as); }

function look(as: string): void {
  refresh(as, function (): void { window.setTimeout(function (): void { look(as); }, lookMS); });
}

function refresh(as: string, then: () => void): void {
  request<{ cameras: Camera[] }>({ method: 'GET', path: '/api/v1/cameras', as: as }, function (problem, answer): void {
    if (answer) {
      draw(answer.cameras, as);
    }
    if (problem) {
      text(byId('cameras-say'), '这里是旧的：' + sentence(problem));
    }
    then();
  });
}

function draw(list: Camera[], as: string): void {
  const key = JSON.stringify(list);
  if (key === drawn) { // a button must not go away under the mouse
    return;
  }
  drawn = key;
  const box = byId('cameras');
  empty(box);
  for (let i = 0; i < list.length; i++) {
    box.appendChild(itemOf(list[i], as));
  }
  show(byId('cameras-box'), list.length > 0);
}

function itemOf(c: Camera, as: string): HTMLElement {
  const changed = c.verdict === 'changed' || c.verdict === 'unlike';
  const known = make('div', 'camera-known', undefined, [make('span', '', '认它：' + machineOf(c.known))]);
  if (changed) {
    known.appendChild(make('span', 'fault', '现在：' + machineOf(c.seen)));
  }
  const item = make('li', '', undefined, [
    make('div', 'camera-what', undefined, [make('b', '', c.name), make('small', '', c.code)]),
    make('div', 'camera-state', undefined, [
      make('span', changed ? 'fault' : '', c.verdict === 'changed' ? '换了机器' : c.verdict === 'unlike' ? '认不准' : stateNames[c.state] || c.state),
      make('small', 'num', clockOf(c.since) + ' 起')
    ]),
    known
  ]);
  if (changed) {
    item.appendChild(c.written ? make('small', '', '按 agent.yaml 认，请改那里') : adoptButton(c, as));
  }
  return item;
}

function adoptButton(c: Camera, as: string): HTMLElement {
  let sure = false;
  const yes = button('btn', '确认更换', function (): void {
    if (sure) {
      yes.disabled = true;
      adopt(c, as, function (): void { yes.disabled = false; });
      return;
    }
    sure = true;
    text(yes, '确定就是它');
    window.setTimeout(function (): void {
      sure = false;
      text(yes, '确认更换');
    }, sureMS);
  }, '确认更换 ' + c.name);
  return yes;
}

/** MAC c0:56:e3:01:02:03　公钥 5f78c332…　IP Camera(12345) */
function machineOf(m: Machine): string {
  const parts = (m.mac ? ['MAC ' + m.mac] : []).concat(m.key ? ['公钥 ' + m.key.slice(0, 16) + '…'] : [], m.says ? [m.says] : []);
  return parts.join('　') || '还没有';
}

function adopt(c: Camera, as: string, failed: () => void): void {
  const path = '/api/v1/cameras/' + encodeURIComponent(c.code) + '/adopt';
  command<{ camera: Camera }>({ method: 'POST', path: path, as: as, body: { seen: c.seen } }, 0, function (problem): void {
    text(byId('cameras-say'), problem ? sentence(problem) : '已确认：' + c.name + '，马上接着转发。');
    if (problem) {
      failed();
    }
    refresh(as, function (): void { /* drawn */ });
  });
}
