// The hall's time. A kiosk's own clock may be wrong by years, so pages follow the server's.

import { request } from './http';

let ahead = 0; // of this machine's clock, in milliseconds

export function now(): number {
  return Date.now() - ahead;
}

const days = ['星期日', '星期一', '星期二', '星期三', '星期四', '星期五', '星期六'];

function two(n: number): string {
  return n < 10 ? '0' + n : '' + n;
}

export function timeText(at: Date): string {
  return two(at.getHours()) + ':' + two(at.getMinutes());
}

export function dateText(at: Date): string {
  return at.getFullYear() + '年' + (at.getMonth() + 1) + '月' + at.getDate() + '日 ' + days[at.getDay()];
}

/** The time of an instant as the server wrote it, in the hall's own offset. */
export function clockOf(stamp: string): string {
  return stamp.slice(11, 16);
}

/**
 * Follows the server: tells whether it answers, keeps the clock right, and calls onNew when the server has newer pages than this
 * one, which a kiosk that runs for months would else never see.
 */
export function follow(as: string, version: string, onAlive: (alive: boolean) => void, onNew: () => void): void {
  const ask = function (): void {
    const sent = Date.now();
    request<unknown>({ method: 'GET', path: '/healthz', as: as, timeoutMS: 5000 }, function (problem, _, xhr): void {
      if (!problem) {
        const date = Date.parse(xhr.getResponseHeader('Date') || '');
        if (!isNaN(date)) {
          const guess = (sent + Date.now()) / 2 - (date + 500); // the header has whole seconds
          ahead = Math.abs(guess - ahead) > 2000 ? guess : ahead;
        }
        const there = xhr.getResponseHeader('X-Pages') || version;
        if (there !== version) {
          onNew();
        }
      }
      onAlive(!problem);
      window.setTimeout(ask, problem ? 3000 : 20000);
    });
  };
  ask();
}

/** Calls back now and at each full second of the hall's clock. */
export function everySecond(tick: () => void): void {
  const beat = function (): void {
    tick();
    window.setTimeout(beat, 1000 - (now() % 1000) + 5);
  };
  beat();
}
