// How long the ticket at the window has been called or served. Times turn yellow and red by the plan: 办理 at one and a half times and
// three times service_s, 等候 at half of max_wait_min and at all of it; somebody called should be there within one minute, and is
// probably gone after three.

import { clockOf, now } from '../lib/clock';
import { byId, text } from '../lib/dom';
import { find, minutes, span } from '../lib/hall';
import { desk, page } from './desk';

const comes = [60, 180]; // seconds

/** "slow" or "over" from the thresholds on, else "". */
export function shade(s: number, limits: number[]): string {
  return s >= limits[1] ? 'over' : s >= limits[0] ? 'slow' : '';
}

const shades: { [kind: string]: string } = { slow: '，较久', over: '，太久', '': '' };

function put(id: string, words: string, kind: string): void {
  text(byId(id), words ? words + shades[kind] : '');
  byId(id).className = 'now-time num' + (words && kind ? ' time-' + kind : '');
}

export function drawTimes(): void {
  const mine = desk.mine;
  const t = mine ? mine.ticket : null;
  const state = t ? t.state : mine ? mine.state : '';
  const since = mine && mine.since ? now() - Date.parse(mine.since.replace(/\.\d+/, '')) : NaN;
  const limits = t ? page.limits[t.queue] : undefined;
  if (isNaN(since) || !t && state !== 'paused') {
    put('now-time', '', '');
    put('now-wait', '', '');
    return;
  }
  if (!t) {
    put('now-time', '已暂停 ' + span(since), '');
    put('now-wait', '', '');
    return;
  }
  const call = state === 'called' && desk.hall ? find(desk.hall.calls, function (c) { return c.number === t.number; }) : null;
  const times = call && call.times > 1 ? '（第 ' + call.times + ' 次）' : '';
  if (state === 'called') {
    put('now-time', '已叫 ' + span(since) + times, shade(since / 1000, comes));
  } else {
    put('now-time', '已办 ' + span(since), limits ? shade(since / 1000, limits.serve) : '');
  }
  const waited = desk.why ? desk.why.waited_s : NaN;
  put('now-wait', clockOf(t.taken_at) + ' 取号' + (isNaN(waited) ? '' : '，等了' + (waited < 60 ? '' : ' ') + minutes(waited)),
    limits && !isNaN(waited) ? shade(waited, limits.wait) : '');
}
