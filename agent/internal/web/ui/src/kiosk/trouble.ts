// What was shown to the kiosk and led nowhere: a sentence over the page that goes by itself, with a touch, or when something is
// read. The page below stays as it is, so that a bad code, or noise, does not end anybody's visit.

import { byId, phrases, show } from '../lib/dom';
import { sayAlso } from './aloud';

/** Seconds the sentence stays. */
const stays = 10;

let left = 0;

/** Says what is wrong and what to do; slower is how much longer than others the reader needs. */
export function tellTrouble(title: string, say: string, slower: number): void {
  left = stays * slower;
  phrases(byId('trouble-title'), title);
  phrases(byId('trouble-text'), say);
  show(byId('trouble'), true);
  sayAlso(title + '。' + say);
}

/** Says a sentence of the server's: first what is wrong, then what to do. */
export function tellSentence(sentence: string, slower: number): void {
  const end = sentence.indexOf('。');
  tellTrouble(end < 0 ? sentence : sentence.slice(0, end), end < 0 ? '' : sentence.slice(end + 1), slower);
}

export function forgetTrouble(): void {
  left = 0;
  show(byId('trouble'), false);
}

/** A second has gone by. */
export function troubleSecond(): void {
  if (left > 0) {
    left--;
    if (left <= 0) {
      forgetTrouble();
    }
  }
}
