// The line at the bottom. What fits stands still, which is easier to read; what is longer runs, moved by the browser's compositor
// alone, so that it does not stutter on old machines.

import { byId, mark, text } from '../lib/dom';
import { rem } from './place';

/** Characters of the line's size that pass in a second: slow enough for the old. */
const perSecond = 2.6;
/** In rem: the size of the line's letters. */
const lettersRem = 2.7;

let drawn = '';

export function drawNotice(words: string): void {
  const box = byId('notice');
  const bar = box.parentElement as HTMLElement;
  const key = words + '/' + bar.clientWidth;
  if (key === drawn) {
    return; // what runs must not begin anew
  }
  drawn = key;
  mark(box, 'runs', false);
  box.style.paddingLeft = '';
  text(box, words);
  if (box.offsetWidth <= bar.clientWidth) {
    return;
  }
  box.style.paddingLeft = bar.clientWidth + 'px'; // it comes in at the right edge
  const seconds = box.offsetWidth / (perSecond * lettersRem * rem());
  box.style.animationDuration = seconds.toFixed(1) + 's';
  mark(box, 'runs', true);
}
