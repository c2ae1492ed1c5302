// What the kiosk says for those who cannot read it: the number, and after a press on 听语音 whatever it shows. The agent makes
// the sound, so that it needs neither a network nor a voice of the browser's.

import { mark, text } from '../lib/dom';
import { request } from '../lib/http';
import { language, t } from './words';

/** What a view says, in its order. */
const spoken = 'h2, p, dt, dd, .queue-name, .queue-when, .facts div';
/** The longest piece that is said at once, in characters: the agent takes no more. */
const mostSaid = 60;

let place = '';
let able = false; // the agent has a voice
let on = false;
let line: string[] = [];
let audio: HTMLAudioElement | null = null;

/** Finds out whether the agent has a voice, for the page of a kiosk. */
export function findVoice(as: string, found: () => void): void {
  place = as;
  request<{ able: boolean }>({ method: 'GET', path: '/api/v1/say', as: as }, function (_, answer): void {
    able = !!answer && answer.able;
    found();
  });
}

function address(words: string, as: string): string {
  return '/api/v1/say?language=' + (as === 'zh' ? 'zh-CN' : 'en') + '&text=' + encodeURIComponent(words);
}

/** Reports whether views are read out. */
export function isReading(): boolean { return on; }

/** Begins or ends to read out what is shown. */
export function setReading(yes: boolean, b: HTMLElement): void {
  on = yes;
  b.hidden = !able;
  text(b, yes ? t('停语音', 'Mute') : t('听语音', 'Listen'));
  mark(b, 'queue-chosen', yes);
  b.setAttribute('aria-pressed', yes ? 'true' : 'false');
  if (!yes) {
    say([]);
  }
}

/** Says a number digit by digit. */
export function sayNumber(number: string): void {
  say([t('您的号码是', 'Your number is'), spell(number)]);
}

/** Reads a view out, if that is wanted. What was being said ends. */
export function readOut(view: HTMLElement): void {
  if (!on) {
    return;
  }
  const all = view.querySelectorAll(spoken);
  const words: string[] = [];
  for (let i = 0; i < all.length; i++) {
    const e = all[i] as HTMLElement;
    if (e.offsetWidth > 0) {
      words.push(e.className === 'slip-number' ? spell(e.textContent || '') : e.innerText || '');
    }
  }
  say(words);
}

/** Says what has come up since, if views are read out. */
export function sayAlso(words: string): void {
  if (on && words) {
    const idle = line.length === 0 && !audio;
    line = line.concat(pieces(words));
    if (idle) {
      next();
    }
  }
}

/** Digits one by one: A023 as A 零 二 三. */
function spell(number: string): string {
  return number.split('').map(function (c): string { return language() === 'zh' && /\d/.test(c) ? '零一二三四五六七八九'.charAt(+c) : c; }).join(' ');
}

/** The sentences of a text; a list of services is one too. */
function pieces(words: string): string[] {
  return (words.replace(/\s+/g, ' ').match(/[^。！？；.!?]+[。！？；.!?]*/g) || []).map(function (p): string { return p.trim().slice(0, mostSaid); })
    .filter(function (p): boolean { return p !== ''; });
}

function say(words: string[]): void {
  line = [];
  if (audio) {
    audio.pause();
    audio = null;
  }
  for (let i = 0; i < words.length; i++) {
    line = line.concat(pieces(words[i]));
  }
  next();
}

function next(): void {
  const words = line.shift();
  audio = null;
  if (!words || !able) {
    return;
  }
  const player = document.createElement('audio');
  audio = player;
  const over = function (): void {
    if (audio === player) {
      next();
    }
  };
  player.onended = over;
  player.onerror = over;
  player.src = address(words, language()) + '&as=' + encodeURIComponent(place);
  const begun = player.play() as Promise<void> | undefined; // old browsers give nothing back
  if (begun && begun.catch) {
    begun.catch(over); // the browser wants a touch first
  }
}
