// The sentences of the calling screens.

import { empty, make } from '../lib/dom';
import { Call, Hall, find } from '../lib/hall';
import { Silence } from '../lib/voice';

/** The name of a call's window, as it stands above the window and as it is said; its number where it is all there is. */
function nameOf(h: Hall | null, c: Call): HTMLElement[] {
  const w = h && find(h.windows, function (x) { return x.id === c.window; });
  const name = w && w.name ? w.name : c.window + '号窗口';
  const number = /^(\d+)(号.*)$/.exec(name); // 3 号窗口: the number is what people look for
  return number ? [make('span', 'call-window num', number[1]), make('span', '', number[2])] : [make('span', 'call-window', name)];
}

/** 请 A001 号到 3 号窗口办理, in two parts that may stand one below the other. */
export function sentence(h: Hall | null, c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', '', '请'), make('span', 'call-number num', c.number), make('span', '', '号')
  ]));
  target.appendChild(make('span', 'call-part', undefined, [make('span', '', '到')].concat(nameOf(h, c), [make('span', '', '办理')])));
}

/** A001 到 3 号窗口, for narrow places. */
export function shortSentence(h: Hall | null, c: Call, target: HTMLElement): void {
  empty(target);
  target.appendChild(make('span', 'call-part', undefined, [
    make('span', 'call-number num', c.number), make('span', '', '到')
  ].concat(nameOf(h, c))));
}

/** "第 2 次叫号", or "" for a first call. */
export function timesText(c: Call): string {
  return c.times > 1 ? '第 ' + c.times + ' 次叫号' : '';
}

/** What stands at the bottom of a screen that should speak and cannot: for the citizens first, then for who can mend it. */
export const silent: { [why in Silence]: string } = {
  '': '', locked: '本屏暂时没有声音，叫号请看屏幕。工作人员：请点一下屏幕，或设置浏览器自动播放。',
  missing: '本屏暂时没有声音，叫号请看屏幕。工作人员：主机没有录音，也没装 espeak-ng。'
};

export const notices = { usual: '取号后请在休息区等候，留意屏幕和语音叫号。', cutOff: '屏幕正在重连，叫号请听广播、看窗口。' };
