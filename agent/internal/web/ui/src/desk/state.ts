// What the parts of the guide's page share.

import { byId, setup, text } from '../lib/dom';
import { Hall, Ticket } from '../lib/hall';

export interface Named { id: string; name: string; }

interface Setup { as: string; version: string; person: string; queues: Named[]; kiosks: Named[]; }

export const page = setup<Setup>();

/** The classes that the guide may give; an appointment is checked in for, not given. */
export const classes: Named[] = [{ id: 'normal', name: '普通' }, { id: 'elder', name: '老幼残孕' }, { id: 'priority', name: '依法优先' }];

export const desk = {
  hall: null as Hall | null,
  live: true,
  busy: false,
  found: function (_t: Ticket | null, _words: string): void { /* set by find.ts */ }
};

export function queueName(id: string): string {
  for (let i = 0; i < page.queues.length; i++) {
    if (page.queues[i].id === id) {
      return page.queues[i].name;
    }
  }
  return id;
}

/** What people call a place: kiosk-1 by its name. */
export function placeName(place: string): string {
  for (let i = 0; i < page.kiosks.length; i++) {
    if ('kiosk-' + page.kiosks[i].id === place) {
      return page.kiosks[i].name;
    }
  }
  return place.indexOf('desk') === 0 ? '导办台' : place.indexOf('window-') === 0 ? place.slice(7) + ' 号窗口' : place;
}

export function say(kind: string, words: string, number?: string): void {
  byId('say').className = 'say' + (kind ? ' say-' + kind : '');
  text(byId('say-text'), words);
  text(byId('say-number'), number || '');
}
