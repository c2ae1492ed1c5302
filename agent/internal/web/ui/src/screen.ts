// The calling screen. The newest call is shown large for long enough to be read; below it stand the calls before it and the windows
// that work, as large as their place allows. What may be old is not shown: people would go where nobody waits for them.

import { begin, dateText, everySecond, follow, now, timeText } from './lib/clock';
import { byId, empty, make, mark, phrases, restart, setup, show, text } from './lib/dom';
import { Call, Hall, find } from './lib/hall';
import { listen } from './lib/live';
import { Proofs, Session } from './lib/proof';
import { Silence, Voice, voiceOf } from './lib/voice';
import { News, keyOf } from './screen/news';
import { drawNotice } from './screen/notice';
import { Slides } from './screen/slides';
import { fit, rem, turnNow, upright } from './screen/place';
import { drawMissed, drawWaits } from './screen/side';
import { headRem, heightOf, drawWindows, layout, longNames, openWindows } from './screen/windows';
import { notices, sentence, shortSentence, silent, timesText } from './screen/words';

interface Setup { as: string; version: string; notice: string; session: Session; now: number; }

const page = setup<Setup>();

/** Older calls leave the list. */
const listMS = 30 * 60 * 1000;
/** In rem: the height of a row of calls, and of the strip that stands for the rows where there is no room for two. */
const rowRem = 7.2;
const stripRem = 6;
/** A call that would be smaller on one line, in per cent, gets two. */
const leastHero = 80;

const proofs = new Proofs(page.session);
const news = new News();
const slides = new Slides(page.as, function (): void {
  drawn = '';
  draw();
});
let hall: Hall | null = null;
let live = true;
let told = 0; // when the hall was heard last
let drawn = '';
let silence: Silence = '';
const voice = new Voice(page.as, voiceOf(window.location.search), function (why: Silence): void {
  silence = why;
  notice();
});

function onHall(next: Hall): void {
  if (!proofs.polled(next.proof)) {
    return;
  }
  hall = next;
  told = now();
  news.take(next, now());
  slides.take(next.program || null);
  step();
  draw();
}

/** Goes on to the next call that waits to be shown large. */
function step(): void {
  if (live && news.step(Date.now())) {
    slides.hide();
    drawHero();
    restart(byId('hero'), 'hero-new');
    if (news.large) {
      voice.say(news.large);
    }
  }
}

function fresh(): Call[] {
  const out: Call[] = [];
  for (let i = 0; live && hall && i < hall.calls.length; i++) {
    if (now() - Date.parse(hall.calls[i].at) < listMS) {
      out.push(hall.calls[i]);
    }
  }
  return out;
}

function draw(): void {
  if (!hall) { // it was never reached
    drawHero();
    return;
  }
  const calls = fresh();
  if (news.rest(calls.length > 0 ? calls[0] : null, Date.now())) {
    mark(byId('hero'), 'hero-new', false);
  }
  const key = JSON.stringify([calls, hall.queues, hall.windows, hall.missed, hall.health.length, turnNow(), news.large, live, noticed()]);
  if (key === drawn) {
    return;
  }
  drawn = key;
  const open = openWindows(hall);
  const how = layout(open);
  drawMarks(hall);
  drawHero();
  drawMissed(hall.missed, live);
  drawWaits(hall, live);
  const height = byId('below').clientHeight / rem();
  let room = height - headRem;
  const most = Math.floor((height - heightOf(open.length, how)) / rowRem);
  if (most >= 2) {
    room -= drawRows(calls, most, false) * rowRem;
  } else if (drawRows(calls, (upright() ? 2 : 3) - (longNames(hall.windows) ? 1 : 0), true) > 0) {
    room -= stripRem;
  }
  drawWindows(hall, open, how, room, live);
}

/** Says whether what is shown is what is so. */
function drawMarks(h: Hall): void {
  let offline = false;
  for (let i = 0; i < h.health.length; i++) {
    offline = offline || h.health[i].code === 'uplink_down';
  }
  show(byId('badge'), !live || offline);
  text(byId('badge'), !live ? '正在重连' : '本地运行');
  mark(document.body, 'stale', !live);
  notice();
}

function notice(): void {
  mark(document.body, 'silent', silence !== '');
  drawNotice(live ? silent[silence] || page.notice || notices.usual : notices.cutOff);
}

/** What the server wants said before everything else, such as the text of a test; nothing for most of the time. */
function noticed(): string {
  const frame = live && hall ? hall.frame : null;
  return frame && frame.scene === 'notice' ? frame.lines.join('　') : '';
}

/** The call that is large, or a welcome; while the hall is not reached, that and since when. */
function drawHero(): void {
  const hero = byId('hero');
  const said = noticed();
  const c = live && !said ? news.large : null;
  const past = !!c && !isCalled(c);
  mark(hero, 'hero-idle', !c);
  mark(hero, 'hero-past', past);
  if (c) {
    sentence(hall, c, byId('hero-text'));
  } else {
    mark(hero, 'hero-new', false);
    phrases(byId('hero-text'), said || (live ? '欢迎光临，请取号等候' : '叫号信息中断，请听广播、看窗口'));
  }
  text(byId('hero-times'), c ? (past ? '最近一次叫号' : timesText(c)) : live || told === 0 ? '' : timeText(new Date(told)) + ' 以后的叫号没有收到');
  fitHero(byId('hero-text'), hero);
}

/** Makes the large call fit. If it would become small, it stands on two lines, of which only the one with a long name is smaller. */
function fitHero(words: HTMLElement, hero: HTMLElement): void {
  mark(hero, 'hero-two', false);
  if (fit(words, hero) >= leastHero) {
    return;
  }
  mark(hero, 'hero-two', true);
  words.style.fontSize = '';
  for (let i = 0; i < words.children.length; i++) {
    fit(words.children[i] as HTMLElement, hero);
  }
}

/** Whether somebody is still waited for: else the call is only the newest there was. */
function isCalled(c: Call): boolean {
  const w = hall && find(hall.windows, function (x) { return x.id === c.window; });
  return !!w && !!w.ticket && w.ticket.number === c.number && w.ticket.state === 'called';
}

/** The calls before the large one, at most as many as asked for, one below the other or in a strip; gives how many there are. */
function drawRows(calls: Call[], most: number, strip: boolean): number {
  const rows = byId('rows');
  empty(rows);
  mark(rows, 'strip', strip);
  for (let i = 0; i < calls.length && rows.children.length < most; i++) {
    if (news.large && keyOf(news.large) === keyOf(calls[i])) {
      continue; // it stands above
    }
    const row = rows.appendChild(make('li', ''));
    if (strip) {
      row.style.width = 100 / most + '%';
      shortSentence(hall, calls[i], row);
      fit(row.firstChild as HTMLElement, row);
      continue;
    }
    const words = row.appendChild(make('span', ''));
    sentence(hall, calls[i], words);
    if (calls[i].times > 1) {
      words.appendChild(make('small', '', timesText(calls[i])));
    }
    fit(words, row);
  }
  return rows.children.length;
}

function main(): void {
  begin(page.now);
  window.addEventListener('resize', function (): void {
    drawn = '';
    draw();
    slides.fit();
  });
  mark(byId('hero'), 'hero-idle', true);
  notice();
  everySecond(function (): void {
    const at = new Date(now());
    text(byId('time'), timeText(at));
    text(byId('date'), dateText(at));
    step();
    draw();
    slides.step(live && !noticed());
  });
  follow(page.as, page.version, function (): void { /* the stream tells */ }, function (): void { window.location.reload(); });
  listen({
    as: page.as, query: 'session=' + page.session.id, open: proofs.open, onHall: onHall,
    onLive: function (is: boolean): void {
      if (is) {
        told = now();
      }
      live = is;
      draw();
    },
    onSignedOut: function (): void { window.location.reload(); }
  });
}

main();
