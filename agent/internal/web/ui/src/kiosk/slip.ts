// What the kiosk says about paper: before a number is taken whether its slip comes out, and where; afterwards what became of it.
// Success is only what the printer said.

import { byId, mark, phrases, show, text } from '../lib/dom';
import { Paper, Slip, Ticket } from '../lib/hall';
import { request } from '../lib/http';
import { page } from './stage';
import { people, t, waitSay, windowsSay } from './words';

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

/** Why a slip failed, in few words; nothing to say of a machine without a printer. */
function failSay(slip: Slip): string {
  return !slip.sure ? t('不确定小票有没有出来', 'Your slip may not have come out')
    : slip.code === 'paper_out' || slip.code === 'cover_open' ? whySay(slip.code) + t('，小票没有打出来', ': no slip was printed') : t('小票没有打印出来', 'No slip was printed');
}

/** What became of a slip. */
export function slipSay(print: string, slip: Slip | null): string {
  const at = slip ? slip.at : '';
  if (print === 'printed') {
    return at ? t('小票在' + at + '，请去拿', 'Your slip is at: ' + at) : t('请取走您的小票', 'Please take your slip');
  }
  if (print === 'failed') {
    return (slip ? failSay(slip) : t('小票没有打印出来', 'No slip was printed')) + t('，号码有效', '. Your number is valid.');
  }
  return at ? t('小票正在' + at + '打印…', 'Your slip is printed at: ' + at) : t('正在打印小票…', 'Printing your slip…');
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
    request<{ ticket: Ticket; slip: Slip }>({ method: 'GET', path: '/api/v1/tickets/' + id, as: page.as }, function (problem, answer): void {
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

/** Draws a number as it stands on a slip, and what its holder wants to know, in the view whose elements begin with the prefix. */
export function drawNumber(prefix: string, taken: Ticket, name: string, windows: string): void {
  text(byId(prefix + '-queue'), name);
  text(byId(prefix + '-number'), taken.number);
  text(byId(prefix + '-ahead'), people(taken.ahead));
  const wait = waitSay(taken.wait);
  show(byId(prefix + '-wait-box'), wait !== '');
  text(byId(prefix + '-wait'), wait);
  text(byId(prefix + '-windows'), windowsSay(windows));
}
