// A citizen's own ticket on his phone. The token of the slip is the only key; nothing here says who he is.

import { dateText, now, timeText } from './lib/clock';
import { byId, mark, setup, show, text } from './lib/dom';
import { Ticket, stateName, waitText } from './lib/hall';
import { command, request, sentence } from './lib/http';

interface Setup { token: string; ticket: string; }
interface Answer { ticket: Ticket; queue_name: string; window_name: string; rated: boolean; windows: string[]; }

const page = setup<Setup>();
let last: Answer | null = null;

/** How many ahead are few. */
const soon = 3;
/** More windows than these are not listed one by one. */
const fewWindows = 6;

function words(a: Answer): string {
  const t = a.ticket;
  const at = a.window_name;
  switch (t.state) {
    case 'waiting': return t.ahead === 0 ? '您是下一位，请在窗口附近等候' : t.ahead <= soon ? '快到您了，请回到等候区' : '请留意屏幕和广播';
    case 'called': return '正在叫您的号，请马上去办理';
    case 'serving': return '正在' + at + '办理';
    case 'held': return at + '正在等您回来';
    case 'passed': return '叫号时您不在。请到导办台或取号机扫小票，重新排队';
    case 'done': return a.rated ? '感谢您的评价' : '业务已办结';
    default: return '这个号已经不能使用';
  }
}

function draw(a: Answer): void {
  last = a;
  const t = a.ticket;
  const over = t.state === 'done' || t.state === 'abandoned' || t.state === 'withdrawn' || t.state === 'closed';
  text(byId('queue'), a.queue_name);
  text(byId('number'), t.number);
  text(byId('state'), t.state === 'called' ? '请到 ' + (a.window_name || '窗口') : stateName(t.state));
  byId('state').className = 'state state-' + (over ? 'over' : t.state);
  text(byId('say'), words(a));
  const waiting = t.state === 'waiting';
  show(byId('facts'), waiting);
  show(byId('rule'), waiting);
  text(byId('place'), '第 ' + (t.ahead + 1) + ' 位');
  text(byId('ahead'), t.ahead + ' 人');
  show(byId('windows-box'), waiting && a.windows.length > 0);
  text(byId('windows'), a.windows.slice(0, fewWindows).join('、') + (a.windows.length > fewWindows ? ' 等' : ''));
  mark(byId('card'), 'card-called', t.state === 'called');
  const wait = waitText(t.wait);
  show(byId('wait-box'), wait !== '');
  text(byId('wait'), wait.replace(/^约 /, ''));
  document.title = (t.state === 'called' ? '请办理 ' : '') + t.number + ' ' + (waiting ? '前面 ' + t.ahead + ' 人' : stateName(t.state));
  const rate = byId<HTMLAnchorElement>('rate');
  rate.href = '/rate/' + page.token;
  show(rate, t.state === 'done' && !a.rated);
  const asked = !byId('ask').hidden;
  const may = waiting || t.state === 'passed';
  show(byId('withdraw'), may && !asked);
  show(byId('ask'), may && asked);
  const at = new Date(now());
  text(byId('fresh'), '更新于 ' + dateText(at) + ' ' + timeText(at));
}

function look(): void {
  request<Answer>({ method: 'GET', path: '/api/v1/tickets/' + page.ticket, as: '', token: page.token }, function (problem, answer): void {
    if (answer) {
      draw(answer);
    } else if (problem && problem.status === 404) {
      text(byId('state'), '没有这个号');
      text(byId('say'), sentence(problem));
      return;
    } else if (last) {
      text(byId('fresh'), '暂时连不上大厅，显示的可能不是最新情况');
    } else {
      text(byId('state'), '暂时连不上大厅，正在重试');
    }
    const over = last && (last.ticket.state === 'withdrawn' || last.ticket.state === 'abandoned' || last.ticket.state === 'closed');
    window.setTimeout(look, over || document.hidden ? 30000 : 4000);
  });
}

byId('withdraw').addEventListener('click', function (): void {
  show(byId('withdraw'), false);
  show(byId('ask'), true);
});
byId('ask-no').addEventListener('click', function (): void {
  show(byId('ask'), false);
  show(byId('withdraw'), true);
});
byId('ask-yes').addEventListener('click', function (): void {
  const yes = byId<HTMLButtonElement>('ask-yes');
  yes.disabled = true;
  command<{ ticket: Ticket }>({ method: 'POST', path: '/api/v1/tickets/' + page.ticket + '/withdraw', as: '', token: page.token }, 10000,
    function (problem, answer): void {
      yes.disabled = false;
      show(byId('ask'), false);
      if (answer && last) {
        draw({ ticket: answer.ticket, queue_name: last.queue_name, window_name: last.window_name, rated: false, windows: last.windows });
      } else if (problem) {
        text(byId('say'), sentence(problem));
      }
    });
});
look();
