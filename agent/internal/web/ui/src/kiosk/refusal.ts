// Why there is no number, told calmly: what is so, and what to do next.

import { Gives } from '../lib/hall';
import { Problem, sentence } from '../lib/http';
import { t, timeSay, windowsSay } from './words';

export interface Refusal { title: string; say: string; small?: string; }

const askDesk = 'Please ask at the service desk.';
const ordinary = 'You may take an ordinary number.';

/** What a button of a queue says that gives no numbers. */
export function shortReason(g: Gives): string {
  const opens = timeSay(g.opens);
  switch (g.reason) {
    case 'quota_used': return t('今天的号已取完', 'None left today');
    case 'slot_quota_used': return opens ? t(opens + ' 起再取', 'From ' + opens) : t('本时段已取完', 'None left now');
    case 'closing_soon': return t('今天来不及了', 'Too late today');
    default: return opens ? t(opens + ' 开始取号', 'Opens ' + opens) : t('今天不再取号', 'Closed today');
  }
}

/** Why a queue gives no numbers: code and times are those of its state, or of a refusal. windows are where it is served. */
export function whyClosed(name: string, code: string, opens: string, closes: string, windows: string): Refusal | null {
  const other = t('也可以先办其他业务。', 'You may choose another service.');
  switch (code) {
    case 'queue_closed':
      return {
        title: t(name + '：现在不取号', '“' + name + '” is closed now'), small: other,
        say: opens ? t('今天 ' + opens + ' 开始取号，请到时再来。', 'It opens today at ' + opens + '.') : t('今天的取号已经结束，请下个工作日再来。', 'Please come back on the next working day.')
      };
    case 'quota_used':
      return {
        title: t(name + '：今天的号取完了', 'No more numbers for “' + name + '” today'), small: t('改天再来，可以先在粤省事上预约。', 'For another day, please book first.'),
        say: windows ? t('窗口空闲时，可以直接到 ' + windowsSay(windows) + '窗口办理。', 'When window ' + windowsSay(windows) + ' is free, you may go there.') : t('请问导办台今天还能不能办。', askDesk)
      };
    case 'slot_quota_used':
      return {
        title: t(name + '：这个时段的号取完了', 'No more numbers for “' + name + '” now'), small: other,
        say: opens ? t(opens + ' 起可以再取。', 'Numbers are given again from ' + opens + '.') : t('请晚一点再来取号。', 'Please come back later.')
      };
    case 'closing_soon':
      return {
        title: t('今天可能办不完', 'There may not be enough time today'), small: t('急事请按下面的“呼叫导办员”。', 'If it is urgent, call the guide below.'),
        say: t('按现在的进度，轮到您时已经' + (closes ? '过了 ' + closes : '下班') + '，请改天再来。', 'Your turn would come after ' + (closes || 'closing time') + '. Please come another day.')
      };
  }
  return null;
}

/** What to say to somebody who would probably still wait when the queue closes, before he takes a number. */
export function whyLate(name: string, closes: string): Refusal {
  return {
    title: t('可能等到下班', 'You may wait past closing time'),
    say: t('“' + name + '”到 ' + closes + ' 结束。按现在的进度，轮到您时可能已经过点。', '“' + name + '” closes at ' + closes + '. Your turn may come later than that.'),
    small: t('仍要取号吗？', 'Do you still want a number?')
  };
}

/** Refusals in English by code: [what is so, what to do]. */
const english: { [code: string]: [string, string] } = {
  too_many_open: ['You have too many open numbers', 'Please finish or withdraw one first.'],
  person_blocked: ['You cannot take a number this way now', askDesk],
  booking_used: ['This appointment was used already', ordinary],
  booking_unknown: ['This appointment was not found', ordinary],
  clock_unknown: ['Numbers cannot be given right now', askDesk],
  identity_unknown: ['Your card was read too long ago', 'Please show it again.'],
  identity_required: ['Please show your ID card first', 'Put it on the reader and choose again.'],
  unreachable: ['No connection', 'Please try again, or ask at the service desk.'],
  slip_busy: ['Your slip is being printed', 'Please wait a moment.'],
  slip_just_printed: ['Your slip was printed just now', 'Please take it.'],
  reprint_limit: ['No more copies here', 'Your number is valid. For a slip, ask the staff.']
};

/** Why a command was refused. */
export function whyRefused(p: Problem, name: string, windows: string): Refusal {
  const more = p as Problem & { opens?: string; closes?: string };
  const opens = timeSay(more.opens);
  const known = whyClosed(name, p.code, opens, timeSay(more.closes), windows);
  if (known) {
    return known;
  }
  if (p.code === 'booking_early' && opens) {
    return {
      title: t('还没到预约时间', 'It is too early for your appointment'),
      say: t(opens + ' 起可以签到取号，到时再刷一次证件就行。', 'You can check in from ' + opens + '. Please show your card again then.'),
      small: t('不想等，可以直接取普通号。', ordinary)
    };
  }
  const en = english[p.code] || ['This is not possible now', askDesk];
  const rest = (p.detail && p.detail !== p.title ? p.detail : '') + (p.advice || '');
  return { title: t(p.title, en[0]), say: t(rest || sentence(p), en[1]) };
}
