// Calls said by the page itself, for a screen that has loudspeakers and no speaker of the hall beside it: /screen/1?voice=zh-CN.

import { Call } from './hall';

/** How often a call is said, and the longest time a sentence may take. */
const repeats = 2;
const longestMS = 30000;
/** A flood: only the newest are still worth saying. */
const mostWaiting = 12;

/** The language that the page's address asks for, empty for a page that says nothing. */
export function voiceOf(search: string): string {
  const found = /[?&]voice=(zh-CN|zh-yue)(&|$)/.exec(search);
  return found ? found[1] : '';
}

export class Voice {
  private line: Call[] = [];
  private busy = false;

  constructor(private as: string, private language: string) { }

  /** Says a call after those that are being said: before the fresh ones if it is a repeated one. */
  say(c: Call): void {
    if (!this.language) {
      return;
    }
    let at = this.line.length;
    while (c.times > 1 && at > 0 && this.line[at - 1].times === 1) {
      at--;
    }
    this.line.splice(at, 0, c);
    this.line = this.line.slice(-mostWaiting);
    this.next();
  }

  private next(): void {
    const c = this.busy ? undefined : this.line.shift();
    if (!c) {
      return;
    }
    this.busy = true;
    const audio = document.createElement('audio');
    const self = this;
    let left = repeats;
    let watch = 0;
    const over = function (): void { // who came meanwhile is called no more: the server says so, and the next one is said
      if (left >= 0) {
        left = -1;
        window.clearTimeout(watch);
        audio.pause();
        self.busy = false;
        self.next();
      }
    };
    const play = function (): void {
      left--;
      window.clearTimeout(watch);
      watch = window.setTimeout(over, longestMS);
      const begun = audio.play() as Promise<void> | undefined; // old browsers give nothing back
      if (begun && begun.catch) {
        begun.catch(over); // the browser wants a touch first
      }
    };
    audio.onended = function (): void {
      if (left > 0) {
        play();
      } else {
        over();
      }
    };
    audio.onerror = over;
    audio.src = '/api/v1/voice/' + encodeURIComponent(c.window) + '?language=' + this.language + '&as=' + encodeURIComponent(this.as);
    play();
  }
}
