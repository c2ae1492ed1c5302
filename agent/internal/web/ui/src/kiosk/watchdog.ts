// A kiosk runs for months. When the page's timers or its stream stand still, or it has run for a day, it loads itself anew: only while
// the server answers, because a page that is not there cannot try again.

import { request } from '../lib/http';

/** How long the page's clock and its view of the hall may stand still. */
const clockMS = 20000;
const hallMS = 60000;
/** How old the page may become before it is loaded anew at a quiet moment. */
const ageMS = 20 * 3600 * 1000;
const everyMS = 5000;

export interface Watchdog { beat: () => void; live: (is: boolean) => void; }

/** Watches the page; idle tells whether nobody is there. */
export function watchdog(as: string, idle: () => boolean): Watchdog {
  const born = Date.now();
  let beat = born;
  let heard = born;
  let live = true;
  let asking = false;
  window.setInterval(function (): void { // not the timers it watches, which each set the next
    const now = Date.now();
    if (live) {
      heard = now;
    }
    if (asking || now - beat < clockMS && now - heard < hallMS && (now - born < ageMS || !idle())) {
      return;
    }
    asking = true;
    request<unknown>({ method: 'GET', path: '/healthz', as: as, timeoutMS: 4000 }, function (problem): void {
      asking = false;
      if (!problem) {
        window.location.reload();
      }
    });
  }, everyMS);
  return {
    beat: function (): void { beat = Date.now(); },
    live: function (is: boolean): void { live = is; }
  };
}
