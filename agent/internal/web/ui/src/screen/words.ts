// The sentences of the calling screens.

import { empty, make } from '../lib/dom';
import { Call } from '../lib/hall';

/** 请 A001 号到 3 号窗口办理, in two parts that may stand one below the other. */
export function sentence(c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', '', '请'), make('span', 'call-number num', c.number), make('span', '', '号')
  ]));
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', '', '到'), make('span', 'call-window num', c.window), make('span', '', '号窗口办理')
  ]));
}

/** A001 到 3 号窗口, for narrow places. */
export function shortSentence(c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', 'call-number num', c.number), make('span', '', '到'), make('span', 'call-window num', c.window), make('span', '', '号窗口')
  ]));
}

/** "第 2 次叫号", or "" for a first call. */
export function timesText(c: Call): string {
  return c.times > 1 ? '第 ' + c.times + ' 次叫号' : '';
}

export const notices = { usual: '取号后请在休息区等候，留意屏幕和语音叫号。', cutOff: '屏幕正在重连，叫号请听广播、看窗口。' };
