// What the guide must not miss: somebody at a kiosk who asks for help, seen and heard, and numbers that came out without a slip.

import { button, byId, empty, make, mark, show } from '../lib/dom';
import { Condition, Hall, HelpCall, Ticket } from '../lib/hall';
import { drawHelp } from '../lib/help';
import { request } from '../lib/http';
import { mend } from './find';
import { desk, page, placeName, queueName } from './state';

/** An open ticket whose slip did not come out, or perhaps did not if sure is false. */
interface Slipless { ticket: string; number: string; queue: string; place: string; code: string; sure: boolean; }

const ringEveryMS = 4000;
const manySlips = 3;

let ringer: number | undefined;
let sound: AudioContext | null = null;
let drawn = '';
const title = document.title;

/** Browsers let a page be heard once somebody has touched it. */
export function allowSound(): void {
  const Kind = window.AudioContext || (window as unknown as { webkitAudioContext?: typeof AudioContext }).webkitAudioContext;
  if (!Kind) {
    return;
  }
  sound = sound || new Kind();
  if (sound.state === 'suspended' && sound.resume) {
    sound.resume();
  }
}

/** Two tones, as of a door bell. */
function ring(): void {
  if (!sound) {
    return;
  }
  const tones = [880, 660];
  for (let i = 0; i < tones.length; i++) {
    const from = sound.currentTime + i * 0.3;
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.frequency.value = tones[i];
    volume.gain.setValueAtTime(0.4, from);
    volume.gain.linearRampToValueAtTime(0, from + 0.3);
    tone.connect(volume);
    volume.connect(sound.destination);
    tone.start(from);
    tone.stop(from + 0.3);
  }
}

function drawCalls(calls: HelpCall[]): void {
  let open = 0;
  for (let i = 0; i < calls.length; i++) {
    open += calls[i].coming ? 0 : 1;
  }
  drawHelp(byId('helps'), page.as, calls);
  mark(byId('helps'), 'helps-ringing', open > 0);
  document.title = open > 0 ? '● 有人呼叫 · ' + title : title;
  if (open > 0 && ringer === undefined) {
    ring();
    ringer = window.setInterval(ring, ringEveryMS);
  } else if (open === 0) {
    window.clearInterval(ringer);
    ringer = undefined;
  }
}

const faults: { [code: string]: string } = {
  paper_out: '缺纸', cover_open: '盖没盖好', offline: '打印机连不上', timeout: '打印机没有答复', busy: '打印机一直忙'
};

function drawTrouble(slips: Slipless[], health: Condition[]): void {
  const key = JSON.stringify([slips, health]);
  if (key === drawn) {
    return;
  }
  drawn = key;
  const box = byId('troubles');
  empty(box);
  for (let i = 0; i < health.length; i++) {
    const c = health[i];
    const at = /^((?:kiosk|desk)-[^.]+)\.(printer|spare)$/.exec(c.subject || '');
    if (at && c.code.indexOf('device_') === 0) {
      box.appendChild(make('p', 'trouble', undefined, [make('b', '', placeName(at[1])), make('span', '', c.title)]));
    }
  }
  for (let i = slips.length - 1; i >= Math.max(0, slips.length - manySlips); i--) { // who took a number last is still near
    box.appendChild(slipless(slips[i]));
  }
  if (slips.length > manySlips) {
    box.appendChild(make('p', 'trouble', '还有 ' + (slips.length - manySlips) + ' 个号没有小票'));
  }
  show(box, !!box.firstChild);
}

function slipless(s: Slipless): HTMLElement {
  const words = queueName(s.queue) + ' · ' + placeName(s.place) + (s.sure ? '没有打出小票' : '可能没有打出小票') + '：' + (faults[s.code] || '打印没有成功');
  return make('p', 'trouble', undefined, [
    make('b', 'num', s.number), make('span', '', words),
    button('btn', '查看', function (): void {
      request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + s.ticket, as: page.as }, function (_, answer): void {
        if (answer) {
          desk.found(answer.ticket, '请把号码告诉群众，或补打小票');
        }
      });
    }, '查看 ' + s.number),
    button('btn btn-main', '补打', function (): void {
      request<{ ticket: Ticket }>({ method: 'GET', path: '/api/v1/tickets/' + s.ticket, as: page.as }, function (_, answer): void {
        if (answer) {
          mend(answer.ticket, 'reprint', '正在补打');
        }
      });
    }, '补打 ' + s.number)
  ]);
}

export function drawAlarms(hall: Hall): void {
  drawCalls(hall.help || []);
  drawTrouble((hall as Hall & { slips?: Slipless[] }).slips || [], hall.health);
  show(byId('alone'), hall.health.some(function (c) { return c.code.indexOf('uplink_') === 0; }));
}
