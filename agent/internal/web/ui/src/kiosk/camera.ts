// The kiosk's own camera, for tablets without a scanner: what it sees is shown large, and a few times a second the server looks at the
// square that is in sight. A code it finds comes back over the stream, as from any reader of the kiosk. The camera is off when nobody
// wants it; its pictures are kept nowhere.

import { byId, mark, phrases, show } from '../lib/dom';
import { newKey, request } from '../lib/http';
import { sayAlso } from './aloud';
import { Eye, Tell } from './readers';
import { Refusal } from './refusal';
import { end, go, page, shown } from './stage';
import { t } from './words';

/** How long somebody may try, in seconds. */
const triesS = 60;
const everyMS = 400;
/** After a code, or a fault of the line, the page waits so long for what comes of it. */
const afterMS = 3000;
/** What takes longer is told: the machine is slow, or asks elsewhere about the code. */
const slowMS = 500;
const largest = 1280; // pixels a side
const heaviest = 200000; // bytes

type Say = 'opening' | 'looking' | 'slow' | 'read';

let turn = 0; // grows when the camera is switched on or off, so that late answers do nothing
let stream: MediaStream | null = null;
let clock: number | undefined;
let next: number | undefined;
let left = 0;
let say: Say = 'opening';
let quality = .7; // of pictures
let teller: Tell | null = null; // what to do when there is no code

/** The camera as the kiosk's eye. */
export const camera: Eye = {
  start: function (how): void {
    teller = how;
    byId('card-camera').addEventListener('click', open);
    byId('camera-back').addEventListener('click', end);
  },
  open: open,
  label: function () { return t('点这里，用摄像头扫', 'Press to use the camera'); },
  way: function () { return t('按下面的“摄像头扫码”', 'press “Use the camera” below'); }
};

/** Shows what the camera sees and looks for a code. */
function open(): void {
  close();
  const mine = turn;
  left = triesS;
  say = 'opening';
  go('camera', draw, close);
  const media = navigator.mediaDevices as MediaDevices | undefined; // only where the address is safe
  if (!media || !media.getUserMedia || !HTMLCanvasElement.prototype.toBlob) {
    fail('NotSupportedError');
    return;
  }
  media.getUserMedia({ audio: false, video: { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } } }).then(function (got): void {
    if (mine !== turn) {
      stop(got);
      return;
    }
    watch(got);
  }, function (e: { name: string }): void {
    if (mine === turn) {
      fail(e.name);
    }
  });
}

function watch(got: MediaStream): void {
  const track = got.getVideoTracks()[0];
  const mine = turn;
  stream = got;
  track.onended = function (): void {
    if (mine === turn) {
      fail('ended');
    }
  };
  mark(byId('camera'), 'camera-back', track.getSettings && track.getSettings().facingMode === 'environment'); // that one is no mirror
  const lens = byId<HTMLVideoElement>('lens');
  lens.srcObject = got;
  lens.play().then(undefined, function (): void { /* it was switched off meanwhile */ });
  tell('looking');
  clock = window.setInterval(function (): void {
    left--;
    if (say === 'read' && !byId('trouble').hidden) {
      say = 'looking'; // it was no good, as is told above
    }
    draw();
    if (left <= 0) {
      fail('timeout');
    } else if (document.hidden) {
      end();
    }
  }, 1000);
  look();
}

/** Sends what is in sight, then the next when that was looked at. */
function look(): void {
  const lens = byId<HTMLVideoElement>('lens');
  const side = Math.min(lens.videoWidth, lens.videoHeight);
  const to = Math.min(side, largest);
  if (!side || !byId('trouble').hidden) { // somebody still reads why the last one was no good
    again(everyMS);
    return;
  }
  if (say === 'read') { // and nothing came of it
    tell('looking');
  }
  const mine = turn;
  const sheet = document.createElement('canvas');
  sheet.width = sheet.height = to;
  const brush = sheet.getContext('2d') as CanvasRenderingContext2D;
  brush.drawImage(lens, (lens.videoWidth - side) / 2, (lens.videoHeight - side) / 2, side, side, 0, 0, to, to);
  sheet.toBlob(function (picture): void {
    sheet.width = sheet.height = 0; // its memory goes at once
    if (mine === turn && picture) {
      quality = Math.max(.4, Math.min(.7, quality + (picture.size > heaviest ? -.1 : .02)));
      send(picture);
    }
  }, 'image/jpeg', quality);
}

function send(picture: Blob): void {
  const mine = turn;
  const sent = Date.now();
  const slow = window.setTimeout(function (): void {
    if (mine === turn) {
      tell('slow');
    }
  }, slowMS);
  request<{ read: boolean }>({ method: 'POST', path: '/api/v1/pictures', as: page.as, key: newKey(), picture: picture, timeoutMS: 15000 }, function (problem, answer): void {
    window.clearTimeout(slow);
    if (mine !== turn) {
      return;
    }
    if (answer && answer.read) {
      tell('read');
    } else if (Date.now() - sent < slowMS) {
      tell('looking');
    }
    again(problem || answer && answer.read ? afterMS : Math.max(50, everyMS - (Date.now() - sent)));
  });
}

function again(inMS: number): void {
  next = window.setTimeout(look, inMS);
}

/** Switches the camera off. */
function close(): void {
  turn++;
  window.clearInterval(clock);
  window.clearTimeout(next);
  if (stream) {
    stop(stream);
    stream = null;
    byId<HTMLVideoElement>('lens').srcObject = null;
  }
}

function stop(s: MediaStream): void {
  s.getTracks().forEach(function (track): void { track.stop(); });
}

function fail(cause: string): void {
  if (teller && shown() === 'camera') {
    close();
    teller(function () { return whyNot(cause); }, function () { return t('再试一次', 'Try again'); }, open, function () { return t('返回', 'Go back'); });
  }
}

function tell(what: Say): void {
  if (say !== what) {
    say = what;
    draw();
    if (what === 'read') {
      sayAlso(t('读到了', 'It was read'));
    }
  }
}

function draw(): void {
  const says: { [say: string]: string } = {
    opening: t('正在打开摄像头，请稍候', 'Switching the camera on'), looking: t('对准后拿稳，不用点', 'Hold it still'),
    slow: t('正在辨认，请拿稳', 'Looking, hold still'), read: t('读到了，请稍候', 'It was read. One moment')
  };
  phrases(byId('lens-say'), says[say]);
  mark(byId('camera'), 'camera-read', say === 'read');
  show(byId('lens-spin'), say === 'opening');
  phrases(byId('lens-left'), say === 'opening' ? '' : t(left + ' 秒后关闭摄像头', 'The camera goes off in ' + left + ' s'));
}

/** Why no code was read, and what to do: first for the citizen, then for the staff. */
function whyNot(cause: string): Refusal {
  const carded = page.reads.indexOf('idcard') >= 0;
  if (cause === 'timeout') {
    return {
      title: t('没有扫到码', 'No code was found'),
      say: t('请把手机屏幕调亮，离摄像头一掌远，再试一次。', 'Make your screen brighter, hold it a hand’s width away and try again.'),
      small: carded ? t('也可以刷身份证，或请导办员帮忙。', 'You may also use your ID card, or call the guide.') : t('也可以返回直接选业务，或请导办员帮忙。', 'You may also go back and choose a service, or call the guide.')
    };
  }
  const known: { [cause: string]: string } = {
    NotAllowedError: t('浏览器没有允许本页使用摄像头', 'the browser does not let this page use the camera'), NotFoundError: t('没有找到摄像头', 'no camera was found'),
    NotSupportedError: t('本页的地址不是 https，或浏览器太旧', 'the address is not https, or the browser is too old'), ended: t('摄像头断开了', 'the camera was unplugged')
  };
  return {
    title: t('摄像头现在不能用', 'The camera cannot be used now'),
    say: carded ? t('请刷身份证，或按下面的“呼叫导办员”。', 'Please use your ID card, or call the guide below.') : t('请返回直接选业务，或按下面的“呼叫导办员”。', 'Please go back and choose a service, or call the guide below.'),
    small: t('工作人员请看：', 'For the staff: ') + (known[cause] || t('摄像头被别的程序占用，或者坏了', 'the camera is in use elsewhere, or broken'))
  };
}
