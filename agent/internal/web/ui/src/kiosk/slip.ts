// What the kiosk says about paper: before a number is taken whether its slip comes out, and where; afterwards what became of it.
// Success is only what the printer said.

import { byId, empty, make, mark, phrases, show } from '../lib/dom';
import { Paper, Slip, Ticket } from '../lib/hall';
import { Done, request } from '../lib/http';
import { page } from './stage';
import { t, waitSay, windowsSay } from './words';

/** Says that slips do not come out of this machine; gives whether there was something to say. */
export function drawNotice(paper: Paper | undefined): boolean {
  const bad = !!paper && !/^(ok|low|unknown)$/.test(paper.state);
  const away = paper && !bad ? paper.at : '';
  show(byId('notice'), bad || !!away);
  mark(byId('notice'), 'notice-away', !!away);
  if (paper && bad) {
    const none = paper.state === 'none';
    phrases(byId('notice-title'), none ? t('这台机器不打印小票', 'This machine prints no slips') : whySay(paper.state) + t('，暂时打不出小票', ': no slips for now'));
    phrases(byId('notice-text'), t('仍可取号：屏幕用大字显示号码，手机扫二维码就能保存。', 'You still get a number: it is shown large, with a code to scan with your phone.'));
  } else if (away) {
    phrases(byId('notice-title'), t('小票在' + away + '打印', 'Slips come out at: ' + away));
    phrases(byId('notice-text'), t('在这里取号，到那里拿小票。', 'Take your number here, and your slip there.'));
  }
  return bad || !!away;
}

function whySay(state: string): string {
  return state === 'out' || state === 'paper_out' ? t('打印机缺纸', 'The printer is out of paper')
    : state === 'cover_open' ? t('打印机盖子没盖好', 'The printer is open') : t('打印机有故障', 'The printer is out of order');
}

/** Why a slip failed, in few words. */
function failSay(slip: Slip | null): string {
  return slip && !slip.sure ? t('不确定小票有没有出来', 'Your slip may not have come out')
    : slip && (slip.code === 'paper_out' || slip.code === 'cover_open') ? whySay(slip.code) + t('，小票没有打出来', ': no slip was printed') : t('小票没有打印出来', 'No slip was printed');
}

/** What became of a slip. */
export function slipSay(print: string, slip: Slip | null): string {
  const at = slip ? slip.at : '';
  if (print === 'printed') {
    return at ? t('小票在' + at + '，请去拿', 'Your slip is at: ' + at) : t('请取走您的小票', 'Please take your slip');
  }
  if (print === 'failed') {
    return failSay(slip) + t('，号码有效', '. Your number is valid.');
  }
  return at ? t('小票正在' + at + '打印…', 'Your slip is printed at: ' + at) : t('正在打印小票…', 'Printing your slip…');
}

/** A ticket as the hall knows it now. */
export function readTicket(id: string, done: Done<{ ticket: Ticket; slip: Slip }>): void {
  request({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, done);
}

/** How long a printer may take before the page stops waiting for it. */
const paperMS = 25000;

/**
 * Follows the slip of a ticket until it is out, or not coming. tell hears each answer, with what is known by then, and says whether
 * anybody still looks. A slip that nothing is heard of may be out.
 */
export function watchSlip(id: string, tell: (print: string, slip: Slip | null, taken: Ticket | null) => boolean): void {
  const until = Date.now() + paperMS;
  let last: Slip | null = null;
  const ask = function (): void {
    readTicket(id, function (problem, answer): void {
      last = answer ? answer.slip : last;
      let print = problem || !answer ? 'pending' : answer.ticket.print;
      if (print === 'none' || Date.now() > until && print !== 'printed' && print !== 'failed') {
        last = { code: '', sure: print === 'none', at: '', left: last ? last.left : null };
        print = 'failed';
      }
      if (tell(print, last, answer ? answer.ticket : null) && print !== 'printed' && print !== 'failed') {
        window.setTimeout(ask, 400);
      }
    });
  };
  ask();
}

/**
 * Draws a number as it stands on a slip, with what its holder wants to know, in the box of the view: lead stands above, state and tag
 * below it; isBad says that the tag is not what he hoped for. Its place is told in the view of his own ticket.
 */
export function drawNumber(view: 'result' | 'mine', taken: Ticket, name: string, windows: string, lead: string, state: string, tag: string, isBad: boolean): void {
  const box = byId(view + '-slip');
  empty(box);
  [['lead', lead], ['queue', name], ['number', taken.number], ['state', state], ['tag', tag]].forEach(function (line): void {
    if (line[1]) {
      phrases(box.appendChild(make('p', 'slip-' + line[0] + (line[0] === 'tag' && isBad ? ' slip-bad' : ''))), line[1]);
    }
  });
  if (taken.state !== 'waiting') {
    return;
  }
  const facts = box.appendChild(make('div', 'facts'));
  const place = taken.ahead + 1;
  [
    [t('排在', 'Your place'), view === 'mine' ? t('第 ' + place + ' 位', 'No. ' + place) : ''], [t('前面还有', 'Ahead of you'), t(taken.ahead + ' 人', '' + taken.ahead)],
    [t('预计等候', 'Wait, about'), waitSay(taken.wait)], [t('办理窗口', 'Windows'), windowsSay(windows)]
  ].forEach(function (fact): void {
    if (fact[1]) {
      facts.appendChild(make('div', '', undefined, [make('span', '', fact[0]), make('b', '', fact[1])]));
    }
  });
}
