// The machines that were let in by a short code: who is, letting in the next, and shutting out.

import { byId, button, empty, make, show, text } from '../lib/dom';
import { command, request, sentence } from '../lib/http';

interface Place { place: string; name: string; }
interface Paired extends Place { id: string; since: string; seen: string; from: string; by: string; }
interface Pairings { devices: Paired[]; places: Place[]; waiting: number; }

const lookMS = 5000;
const sureMS = 6000; // that the button asks whether it is meant
let drawn = '';
let choices = '';
let order = 0; // of what was asked last: an older answer is not drawn

export function startPairing(as: string): void {
  byId('pair-form').addEventListener('submit', function (e: Event): void {
    e.preventDefault();
    pair(as);
  });
  look(as);
}

function look(as: string): void {
  refresh(as, function (): void { window.setTimeout(function (): void { look(as); }, lookMS); });
}

function refresh(as: string, then: () => void): void {
  const mine = ++order;
  request<Pairings>({ method: 'GET', path: '/api/v1/pairings', as: as }, function (problem, answer): void {
    if (answer && mine === order) {
      draw(answer, as);
    }
    if (problem) {
      text(byId('paired-say'), '这里是旧的：' + sentence(problem));
    }
    then();
  });
}

function draw(now: Pairings, as: string): void {
  text(byId('pair-waiting'), now.waiting > 0 ? '有 ' + now.waiting + ' 台设备在等配对。' : '没有设备在等配对。用浏览器打开取号机、大屏或评价器的页面，就会显示配对码。');
  drawChoices(now.places);
  const key = JSON.stringify(now.devices);
  if (key === drawn) { // a button must not go away under the mouse
    return;
  }
  drawn = key;
  const box = byId('paired');
  empty(box);
  for (let i = 0; i < now.devices.length; i++) {
    box.appendChild(itemOf(now.devices[i], as));
  }
  show(byId('paired-none'), now.devices.length === 0);
}

function drawChoices(places: Place[]): void {
  const key = JSON.stringify(places);
  if (key === choices) {
    return;
  }
  choices = key;
  const list = byId<HTMLSelectElement>('pair-place');
  empty(list);
  const first = make('option', '', '请选择') as HTMLOptionElement;
  first.value = '';
  list.appendChild(first);
  for (let i = 0; i < places.length; i++) {
    const one = make('option', '', places[i].name + '（' + places[i].place + '）') as HTMLOptionElement;
    one.value = places[i].place;
    list.appendChild(one);
  }
}

function itemOf(d: Paired, as: string): HTMLElement {
  let sure = false;
  const end = button('btn btn-bad', '撤销', function (): void {
    if (sure) {
      end.disabled = true;
      revoke(d, as, function (): void { end.disabled = false; });
      return;
    }
    sure = true;
    text(end, '确定撤销');
    window.setTimeout(function (): void {
      sure = false;
      text(end, '撤销');
    }, sureMS);
  }, '撤销 ' + d.name);
  return make('li', '', undefined, [
    make('div', 'paired-what', undefined, [make('b', '', d.name), make('small', '', d.place + '　' + d.from)]),
    make('div', 'paired-when num', undefined, [make('span', '', '最后使用 ' + minuteOf(d.seen)), make('small', '', '配对 ' + minuteOf(d.since) + '，' + nameOf(d.by))]),
    end
  ]);
}

/** manager m01 is 主管 m01. */
function nameOf(by: string): string { return by.replace('manager', '主管').replace('ops', '运维').replace('staff', '工作人员通行证'); }

/** 2026-03-02T10:15:04+08:00 is 2026-03-02 10:15. */
function minuteOf(at: string): string { return at.slice(0, 16).replace('T', ' '); }

function pair(as: string): void {
  const code = byId<HTMLInputElement>('pair-code');
  const place = byId<HTMLSelectElement>('pair-place');
  const send = byId<HTMLButtonElement>('pair-send');
  if (send.disabled) {
    return;
  }
  if (!code.value || !place.value) {
    text(byId('paired-say'), code.value ? '请选这台设备是哪一台。' : '请输入设备上显示的配对码。');
    (code.value ? place : code).focus();
    return;
  }
  send.disabled = true;
  command<{ device: Paired }>({ method: 'POST', path: '/api/v1/pairings', as: as, body: { code: code.value, place: place.value } }, 0, function (problem, answer): void {
    send.disabled = false;
    text(byId('paired-say'), problem ? sentence(problem) : answer ? '配好了：' + answer.device.name + '，设备几秒后自己打开。' : '');
    if (problem) {
      code.focus();
      return;
    }
    code.value = '';
    place.selectedIndex = 0;
    refresh(as, function (): void { /* drawn */ });
  });
}

function revoke(d: Paired, as: string, failed: () => void): void {
  command<null>({ method: 'POST', path: '/api/v1/pairings/' + d.id + '/revoke', as: as }, 0, function (problem): void {
    text(byId('paired-say'), problem ? sentence(problem) : '已撤销：' + d.name + '。');
    if (problem) {
      failed();
    }
    refresh(as, function (): void { /* drawn */ });
  });
}
