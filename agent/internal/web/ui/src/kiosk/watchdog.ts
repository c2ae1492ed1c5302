// A kiosk runs for months. When the page's timers or its stream stand still at two looks, or it has run for a day, it loads itself anew:
// only while the server answers, because a page that is not there cannot try again, and not while somebody's number is on its way.

import { request } from '../lib/http';

/** How long the page's clock and its view of the hall may stand still. */
const clockMS = 20000;
const hallMS = 60000;
/** How old the page may become before it is loaded anew at a quiet moment. */
const ageMS = 20 * 3600 * 1000;
const everyMS = 5000;
/** A machine that slept, or had too much to do, looks bad once. */
const looks = 2;
/** A number that is longer on its way does not come. */
const issueMS = 60000;

export interface Watchdog { beat: () => void; live: (is: boolean) => void; }

/** Watches the page; idle tells whether nobody is there, issuing whether a number is on its way. */
export function watchdog(as: string, idle: () => boolean, issuing: () => boolean): Watchdog {
  const born = Date.now();
  let beat = born;
  let heard = born;
  let live = true;
  let asking = false;
  let bad = 0; // looks in a row
  let issued = 0; // since when a number is on its way
  const waits = function (now: number): boolean {
    issued = issuing() ? issued || now : 0;
    return issued > 0 && now - issued < issueMS;
  };
  window.setInterval(function (): void { // not the timers it watches, which each set the next
    const now = Date.now();
    if (live) {
      heard = now;
    }
    const good = now - beat < clockMS && now - heard < hallMS && (now - born < ageMS || !idle());
    bad = waits(now) || good ? 0 : bad + 1;
    if (asking || bad < looks) {
      return;
    }
    asking = true;
    request<unknown>({ method: 'GET', path: '/healthz', as: as, timeoutMS: 4000 }, function (problem): void {
      asking = false;
      if (!problem && !waits(Date.now())) {
        window.location.reload();
      }
    });
  }, everyMS);
  return {
    beat: function (): void { beat = Date.now(); },
    live: function (is: boolean): void { live = is; }
  };
}
