// Calls said by the page itself, for a screen that has loudspeakers and no speaker of the hall beside it: /screen/1?voice=zh-CN. How
// often and how loud is the hall's rule: the sound comes so.

import { Call } from './hall';
import { request } from './http';

/** The longest time that all repetitions of a sentence may take. */
const longestMS = 90000;
/** As many as the hall remembers; who was called too long ago, the server does not call any more. */
const mostWaiting = 32;
/** With so many behind it a call is said once. */
const crowd = 2;

/** Why nothing is heard: the browser wants a touch first, or the hall's machine has neither clips nor a program that speaks. */
export type Silence = '' | 'locked' | 'missing';

/** The language that the page's address asks for, empty for a page that says nothing. */
export function voiceOf(search: string): string {
  const found = /[?&]voice=(zh-CN|zh-yue)(&|$)/.exec(search);
  return found ? found[1] : '';
}

export class Voice {
  private line: Call[] = [];
  private busy = false;
  private silence: Silence = '';

  constructor(private as: string, private language: string, private onSilence: (why: Silence) => void) {
    if (language) {
      const self = this;
      const touched = function (): void {
        if (self.silence === 'locked') {
          self.tell('');
        }
      };
      document.addEventListener('click', touched);
      document.addEventListener('keydown', touched);
      this.start(document.createElement('audio'), function (): void { /* only asked whether it may */ });
    }
  }

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
    this.line = this.line.slice(0, mostWaiting);
    this.next();
  }

  private tell(why: Silence): void {
    if (why !== this.silence) {
      this.silence = why;
      this.onSilence(why);
    }
  }

  /** Plays; a browser that refuses until somebody has touched the page is told of. */
  private start(audio: HTMLAudioElement, failed: () => void): void {
    const self = this;
    const begun = audio.play() as Promise<void> | undefined; // old browsers give nothing back
    if (begun && begun.catch) {
      begun.catch(function (e: { name?: string }): void {
        if (e && e.name === 'NotAllowedError') {
          self.tell('locked');
        }
        failed();
      });
    }
  }

  private next(): void {
    const c = this.busy ? undefined : this.line.shift();
    if (!c) {
      return;
    }
    this.busy = true;
    const path = '/api/v1/voice/' + encodeURIComponent(c.window) + '?language=' + this.language + (this.line.length > crowd ? '&once=1' : '');
    const audio = document.createElement('audio');
    const self = this;
    let watch = 0;
    const over = function (): void { // who came meanwhile is called no more: the server says so, and the next one is said
      if (watch) {
        window.clearTimeout(watch);
        watch = 0;
        audio.pause();
        self.busy = false;
        self.next();
      }
    };
    watch = window.setTimeout(over, longestMS);
    audio.onplaying = function (): void {
      self.tell('');
    };
    audio.onended = over;
    audio.onerror = function (): void {
      request({ method: 'GET', path: path, as: self.as, timeoutMS: 10000 }, function (problem): void {
        if (problem && problem.code === 'voice_missing') {
          self.tell('missing');
        }
        over();
      });
    };
    audio.src = path + '&as=' + encodeURIComponent(this.as);
    this.start(audio, function (): void {
      if (self.silence === 'locked') {
        over();
      }
    });
  }
}
