// The centre's notices. They stand over the windows while nobody is called, take turns with them, and go at once when somebody is. What is
// shown comes from the hall's server alone, which has checked it; the page says back what it shows.

import { byId, empty, make, mark, show } from '../lib/dom';
import { Program, Slide } from '../lib/hall';
import { newKey, request } from '../lib/http';
import { rem } from './place';

/** After a call the windows stand there for so long, after the page's begin, and between two rounds of the notices. */
const quietMS = 20000;
const beginMS = 5000;
const windowsMS = 15000;
/** How long a picture stands; a text longer, by its length. */
const pictureMS = 12000;
const perCharacterMS = 150;
const textMostMS = 40000;
/** How often the page says what it shows, so that the server hears of a page that was changed. */
const sayMS = 10 * 60 * 1000;
/** In rem: the letters of a text, and how small they may become. */
const lettersRem = 4;
const lettersLeastRem = 1.6;
const mostOfHeight = .88;

/** What stands there when there should be notices and none of them may be shown. */
const builtIn = '温馨提示\n取号后请在休息区等候\n留意屏幕和语音叫号\n过号请到导办台';

/** A slide as it stands there: state is whether it came. */
interface Shown { slide: Slide | null; node: HTMLElement; state: 'coming' | 'there' | 'lost'; stays: number; }

export class Slides {
  private key = '';
  private program: Program | null = null;
  private list: Shown[] = [];
  private at = -1; // −1: the windows
  private until = 0;
  private quiet = Date.now() + beginMS; // until when no notice begins
  private said = 0;

  /** turned is told when the notices come or go: there is more room for them than for the windows. */
  constructor(private as: string, private turned: () => void) { }

  /** Takes the program that the server has now. */
  take(program: Program | null): void {
    const key = JSON.stringify(program);
    if (key === this.key) {
      return;
    }
    this.key = key;
    this.program = program;
    this.list = [];
    this.said = 0;
    this.turn(-1, Math.max(0, Math.min(this.quiet - Date.now(), quietMS))); // what is new may be urgent
    empty(byId('slides'));
    if (!program) {
      return;
    }
    if (program.items.length === 0) {
      this.list.push({ slide: null, node: textNode(builtIn), state: 'there', stays: pictureMS });
    }
    for (let i = 0; i < program.items.length; i++) {
      this.list.push(this.bring(program, program.items[i]));
    }
    for (let i = 0; i < this.list.length; i++) {
      byId('slides').appendChild(this.list[i].node);
    }
  }

  /** Somebody is called: the windows are seen at once. */
  hide(): void {
    this.quiet = Date.now() + quietMS;
    this.turn(-1, quietMS);
  }

  /** Goes on to the next one when the present one has had its time. */
  step(may: boolean): void {
    this.say();
    if (!may) {
      if (this.at >= 0) {
        this.hide();
      }
      return;
    }
    const left = this.until - Date.now();
    if (left > 0 && left <= textMostMS) { // a clock that was put back must not keep one there for hours
      return;
    }
    for (let i = this.at + 1; i < this.list.length; i++) {
      if (this.list[i].state === 'there') {
        this.turn(i, this.list[i].stays);
        return;
      }
    }
    if (this.at >= 0 || !this.coming()) {
      this.turn(-1, windowsMS);
    }
  }

  private coming(): boolean {
    for (let i = 0; i < this.list.length; i++) {
      if (this.list[i].state === 'coming') {
        return true;
      }
    }
    return false;
  }

  /** The place has another size. */
  fit(): void {
    if (this.at >= 0) {
      fill(this.list[this.at].node);
    }
  }

  private turn(to: number, stays: number): void {
    const other = (to >= 0) !== (this.at >= 0);
    this.at = to;
    this.until = Date.now() + stays;
    show(byId('slides'), to >= 0);
    mark(document.body, 'noticing', to >= 0);
    for (let i = 0; i < this.list.length; i++) {
      mark(this.list[i].node, 'slide-on', i === to);
    }
    if (other) {
      this.turned();
    }
    this.fit();
  }

  private bring(program: Program, slide: Slide): Shown {
    const path = '/api/v1/notices/' + encodeURIComponent(program.group) + '/' + program.version + '/' + encodeURIComponent(slide.path);
    const picture = document.createElement('img');
    const shown: Shown = { slide: slide, node: picture, state: 'coming', stays: pictureMS };
    picture.className = 'slide';
    picture.alt = '公告';
    if (slide.type === 'text/plain') {
      const text = make('article', 'slide slide-text');
      shown.node = text;
      request<unknown>({ method: 'GET', path: path, as: this.as, timeoutMS: 30000 }, function (problem, _, xhr): void {
        shown.state = problem ? 'lost' : 'there';
        if (!problem) {
          write(text, xhr.responseText);
          shown.stays = Math.min(textMostMS, Math.max(pictureMS, xhr.responseText.length * perCharacterMS));
        }
      });
      return shown;
    }
    picture.onload = function (): void { shown.state = 'there'; };
    picture.onerror = function (): void { shown.state = 'lost'; };
    picture.src = path + '?as=' + encodeURIComponent(this.as);
    return shown;
  }

  /** Says what is shown, when all of it has come or is lost, and now and then. */
  private say(): void {
    const p = this.program;
    if (!p || this.coming() || this.said > 0 && Math.abs(Date.now() - this.said) < sayMS) {
      return;
    }
    const items: Slide[] = [];
    for (let i = 0; i < this.list.length; i++) {
      const one = this.list[i];
      if (one.slide && one.state === 'there') {
        const picture = one.node as HTMLImageElement;
        items.push({
          path: one.slide.path, type: one.slide.type, sm3: one.slide.sm3, width: picture.naturalWidth || 0, height: picture.naturalHeight || 0
        });
      }
    }
    this.said = Date.now();
    const body = { group: p.group, version: p.version, items: items };
    request<unknown>({ method: 'POST', path: '/api/v1/notices/shown', as: this.as, key: newKey(), body: body }, function (): void { /* the server knows what to do */ });
  }
}

/** The first line of a text is its heading. */
function write(into: HTMLElement, text: string): void {
  const lines = text.split('\n');
  let heading = true;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trim();
    if (line && heading) {
      into.appendChild(ended(make('h2', ''), line));
      heading = false;
    } else if (line) {
      into.appendChild(ended(make('p', line.length <= 16 && lines.length <= 5 ? 'slide-short' : ''), line));
    }
  }
}

/** How many characters of a paragraph end on one line: none stands alone on its last one. */
const together = 4;

function ended(into: HTMLElement, line: string): HTMLElement {
  let cut = Math.max(0, line.length - together);
  if (/[\uDC00-\uDFFF]/.test(line.charAt(cut))) {
    cut--; // half of a character
  }
  into.appendChild(document.createTextNode(line.slice(0, cut)));
  into.appendChild(make('span', 'slide-end', line.slice(cut)));
  return into;
}

function textNode(text: string): HTMLElement {
  const node = make('article', 'slide slide-text');
  write(node, text);
  return node;
}

/** Makes a slide as large as its place allows: a picture whole, a text with letters that leave none of it out. */
function fill(node: HTMLElement): void {
  const box = byId('slides');
  const picture = node as HTMLImageElement;
  if (picture.naturalWidth) {
    const scale = Math.min(box.clientWidth / picture.naturalWidth, box.clientHeight / picture.naturalHeight);
    picture.style.width = Math.floor(picture.naturalWidth * scale) + 'px';
    picture.style.height = Math.floor(picture.naturalHeight * scale) + 'px';
    return;
  }
  for (let size = lettersRem; size >= lettersLeastRem; size -= .2) {
    node.style.fontSize = size * rem() + 'px';
    const last = node.lastChild as HTMLElement;
    if (last.offsetTop + last.offsetHeight - (node.firstChild as HTMLElement).offsetTop <= box.clientHeight * mostOfHeight) {
      return;
    }
  }
}
