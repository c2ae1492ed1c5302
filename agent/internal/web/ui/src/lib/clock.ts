// The hall's time. A kiosk's own clock may be wrong by years, so pages follow the server's.

import { setup } from './dom';
import { request } from './http';

let ahead = 0; // of this machine's clock, in milliseconds

/** The hall's minutes east of Greenwich: the machine may think that it stands elsewhere. */
const east = setup<{ east?: number }>().east || 0;

export function now(): number {
  return Date.now() - ahead;
}

/** Takes the time at which the server made this page, for pages that must know it before they have asked. */
export function begin(madeMS: number): void {
  ahead = Date.now() - madeMS;
}

const days = ['星期日', '星期一', '星期二', '星期三', '星期四', '星期五', '星期六'];

function two(n: number): string {
  return n < 10 ? '0' + n : '' + n;
}

/** An instant whose UTC members are the hall's wall clock. */
function wall(at: Date): Date {
  return new Date(at.getTime() + east * 60000);
}

export function timeText(at: Date): string {
  const w = wall(at);
  return two(w.getUTCHours()) + ':' + two(w.getUTCMinutes());
}

export function dateText(at: Date): string {
  return dayOf(wall(at));
}

/** A business day, "2026-03-05", as dates are written elsewhere. */
export function dayText(day: string): string {
  return dayOf(new Date(Date.parse(day + 'T00:00:00Z')));
}

function dayOf(w: Date): string {
  return w.getUTCFullYear() + '年' + (w.getUTCMonth() + 1) + '月' + w.getUTCDate() + '日 ' + days[w.getUTCDay()];
}

/** The hall's time of an instant as the server wrote it. Old browsers cannot read parts of a second. */
export function clockOf(stamp: string): string {
  return timeText(new Date(Date.parse(stamp.replace(/\.\d+/, ''))));
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
