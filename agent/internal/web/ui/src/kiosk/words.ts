// The kiosk's two languages. What is written in the page's markup carries its English beside it (data-en); what scripts write is
// given in both.

import { clockOf, dateText } from '../lib/clock';
import { phrases } from '../lib/dom';
import { Wait, stateName, waitText } from '../lib/hall';

export type Language = 'zh' | 'en';

interface Saying { at: HTMLElement; zh: string; en: string; }

let chosen: Language = 'zh';
const markup: Saying[] = [];

/** Finds what the markup says, and lets its lines break between phrases. */
export function readMarkup(): void {
  const all = document.querySelectorAll('[data-en]');
  for (let i = 0; i < all.length; i++) {
    const at = all[i] as HTMLElement;
    const zh = at.textContent || '';
    markup.push({ at: at, zh: zh, en: at.getAttribute('data-en') || '' });
    at.textContent = '';
    phrases(at, zh);
  }
}

export function language(): Language {
  return chosen;
}

/** The one of two texts that the citizen reads. */
export function t(zh: string, en: string): string {
  return chosen === 'zh' ? zh : en;
}

export function speak(next: Language): void {
  chosen = next;
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  for (let i = 0; i < markup.length; i++) {
    phrases(markup[i].at, t(markup[i].zh, markup[i].en));
  }
}

/** How long somebody waits, without "about"; "" when nothing can be promised. */
export function waitSay(wait: Wait | null): string {
  if (!wait || chosen === 'zh') {
    return waitText(wait).replace(/^约 /, '');
  }
  const low = Math.round(wait.low_s / 60);
  const high = Math.round(wait.high_s / 60);
  return low <= 0 ? 'up to ' + high + ' min' : low + '–' + high + ' min';
}

const states: { [state: string]: string } = {
  waiting: 'Waiting', called: 'Called', serving: 'In service', held: 'On hold', passed: 'Missed', done: 'Done', abandoned: 'Ended',
  withdrawn: 'Withdrawn', closed: 'Closed'
};

export function stateSay(state: string): string {
  return t(stateName(state), states[state] || state);
}

/** A window, or a list of windows as the hall writes it ("1、3–6 号"). */
export function windowsSay(list: string): string {
  return list === '' ? t('请看屏幕', 'See the screen') : t(list, list.replace(/ 号$/, '').replace(/、/g, ', '));
}

export function windowSay(id: string): string {
  return t(id + ' 号窗口', 'Window ' + id);
}

/** A date of the hall's clock. */
export function dateSay(at: Date): string {
  const zh = dateText(at);
  const parts = zh.match(/^(\d+)年(\d+)月(\d+)日/);
  const two = function (n: string): string { return n.length < 2 ? '0' + n : n; };
  return chosen === 'zh' || !parts ? zh : parts[1] + '-' + two(parts[2]) + '-' + two(parts[3]);
}

/** The time of a stamp, or "" for none. */
export function timeSay(stamp: string | null | undefined): string {
  return stamp ? clockOf(stamp) : '';
}
