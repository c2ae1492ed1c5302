// What the kiosk says about its readers: the pictures beside the queues, and the view that asks for a card or a code.

import { byId, phrases, show } from '../lib/dom';
import { Refusal } from './refusal';
import { t } from './words';

export type Reader = 'idcard' | 'scanner';

/** How a kiosk says that there is no number, or no code: why, and another way on with its label, and the label of the way back. */
export type Tell = (why: () => Refusal, label?: () => string, onPress?: () => void, back?: () => string) => void;

/** What some kiosks look for codes with beside a scanner, or instead: start says how to tell that there is none, open looks
 * for one, label and way say how it is used. */
export interface Eye { start: (tell: Tell) => void; open: () => void; label: () => string; way: () => string; }

let eye: Eye | null = null;

export function useEye(e: Eye | null, start: Tell): void {
  eye = e;
  if (e) {
    e.start(start);
  }
}

/** Draws the pictures of the readers the kiosk has; one that is out of order says so. */
export function drawReaders(reads: string[], broken: (role: Reader) => boolean): void {
  const draw = function (role: Reader, id: string, how: string): void {
    const b = byId<HTMLButtonElement>(id);
    const other = !!eye && role === 'scanner';
    show(b, other || reads.indexOf(role) >= 0);
    b.disabled = !other && broken(role);
    phrases(byId(id + '-say'), b.disabled ? t('暂时不能用，请直接选业务', 'Not working now') : how);
  };
  draw('idcard', 'way-card', t('放在读卡区', 'Put it on the reader'));
  draw('scanner', 'way-code', eye ? eye.label() : t('粤省事码、粤商码或小票', 'App, appointment or slip'));
}

function say(card: boolean, title: string, lead: string, small: string): void {
  show(byId('card-sign'), card);
  show(byId('code-sign'), !card);
  phrases(byId('card-title'), title);
  phrases(byId('card-lead'), lead);
  phrases(byId('card-small'), small);
}

/** Asks for a card or a code before a number of a queue. */
export function askIdentity(queue: string, reads: string[]): void {
  const card = reads.indexOf('idcard') >= 0;
  const code = reads.indexOf('scanner') >= 0;
  const ways = (card ? [t('把身份证放在读卡区', 'put your ID card on the reader')] : [])
    .concat(code ? [t('把粤省事码、粤商码对准扫码窗', 'hold your code before the scanner')] : [])
    .concat(eye ? [eye.way()] : []);
  const how = ways.length > 0 ? t('请', 'Please ') + ways.join(t('，或', ', or ')) + t('。', '.')
    : t('这台机器不能核对身份，请到导办台。', 'This machine has no reader. Please go to the service desk.');
  say(card || !code && !eye, t('办理“' + queue + '”，请先核对身份', 'Please show who you are for “' + queue + '”'), how,
    t('没有带证件？请到导办台，工作人员帮您取号。', 'No card? Please go to the service desk.'));
}

/** Shows how to use a reader to somebody who pressed its picture. */
export function explainReader(role: Reader): void {
  if (role === 'idcard') {
    say(true, t('请把身份证放在读卡区', 'Put your ID card on the reader'), t('放平不动，读到以后选择业务。', 'Lay it flat and wait until it is read.'),
      t('没有带身份证？请返回，直接选择业务。', 'No card? Go back and choose a service.'));
  } else {
    say(false, t('请把码对准扫码窗', 'Hold your code before the scanner'), t('粤省事码、粤商码、预约码，小票上的码也可以。', 'The code of the app, of an appointment or of your slip.'),
      t('扫不出来？请调亮手机屏幕，离远一点再试。', 'Not read? Make the screen brighter and hold it further away.'));
  }
}
