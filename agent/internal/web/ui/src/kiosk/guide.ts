// The way to a person, always in sight: one large button that rings the guide, and where the guide's desk is.

import { byId, mark, phrases, text } from '../lib/dom';
import { HelpCall } from '../lib/hall';
import { command } from '../lib/http';
import { page } from './stage';
import { t } from './words';

type State = 'quiet' | 'ringing' | 'coming' | 'failed';

let state: State = 'quiet';

export function ringGuide(): void {
  if (state === 'ringing' || state === 'coming') {
    return;
  }
  turn('ringing');
  command<unknown>({ method: 'POST', path: '/api/v1/help', as: page.as }, 8000, function (problem): void {
    if (problem) {
      turn('failed');
    }
  });
}

/** What the server says about the kiosk's own call. */
export function followGuide(calls: HelpCall[]): void {
  turn(calls.length === 0 ? 'quiet' : calls[0].coming ? 'coming' : 'ringing');
}

function turn(to: State): void {
  state = to;
  drawGuide();
}

export function drawGuide(): void {
  const desk = t(page.desk || '导办台', 'the service desk');
  const title: { [state: string]: string } = {
    quiet: t('呼叫导办员', 'Call the guide'), ringing: t('正在呼叫导办员', 'Calling the guide…'), coming: t('导办员马上到', 'The guide is coming'), failed: t('没有呼叫成功', 'Nobody was reached')
  };
  const small: { [state: string]: string } = {
    quiet: t('人工服务：' + desk, 'or go to ' + desk), ringing: t('请在这里稍等', 'Please wait here'), coming: t('请在这里稍等', 'Please wait here'), failed: t('请到' + desk, 'Please go to ' + desk)
  };
  text(byId('guide-title'), title[state]);
  phrases(byId('guide-small'), small[state]);
  text(byId('guide-status'), state === 'quiet' ? '' : title[state]);
  mark(byId('guide'), 'guide-on', state === 'ringing');
  mark(byId('guide'), 'guide-coming', state === 'coming');
}
