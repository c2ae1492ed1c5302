// What the browser of this machine can do, for whoever puts up a kiosk.

import { now } from '../lib/clock';
import { byId, empty, make, text } from '../lib/dom';

interface Check { name: string; good: boolean; must: boolean; note: string; }

function checks(): Check[] {
  const style = document.documentElement.style as unknown as { [name: string]: unknown };
  const off = Math.round(Math.abs(Date.now() - now()) / 1000);
  const probe = make('span', '', '国');
  document.body.appendChild(probe);
  const wide = probe.offsetWidth >= 10;
  document.body.removeChild(probe);
  const media = navigator.mediaDevices as MediaDevices | undefined;
  const sees = !!media && !!media.getUserMedia;
  return [
    { name: '页面脚本（ES5）', good: typeof Object.keys === 'function' && typeof JSON === 'object', must: true, note: '能看到本页就具备' },
    { name: '实时推送（SSE）', good: typeof EventSource !== 'undefined', must: false, note: '没有也能用：自动改为长轮询，更新慢约 1 秒' },
    { name: '弹性布局', good: 'flexBasis' in style || 'webkitFlexBasis' in style, must: true, note: '没有时页面会错位，请换浏览器' },
    { name: '动画', good: 'animationName' in style || 'webkitAnimationName' in style, must: false, note: '没有时新叫号不闪烁' },
    { name: '矢量图标（SVG）', good: !!document.createElementNS && !!document.createElementNS('http://www.w3.org/2000/svg', 'svg'), must: false, note: '没有时看不到图标，文字仍在' },
    { name: 'Cookie', good: navigator.cookieEnabled, must: true, note: '关闭时无法登录，请在浏览器设置里打开' },
    { name: '随机数', good: !!(window.crypto || (window as unknown as { msCrypto?: Crypto }).msCrypto), must: true, note: '没有时取号、叫号都发不出去，请换浏览器' },
    { name: '中文字体', good: wide, must: true, note: '缺字时请安装 fonts-noto-cjk 或微软雅黑' },
    { name: '触摸', good: 'ontouchstart' in window || navigator.maxTouchPoints > 0, must: false, note: '取号机应为触摸屏；窗口电脑不需要' },
    { name: '摄像头扫码', good: sees, must: false, note: sees ? '平板可以用，在 hall.yaml 给它写 camera: page' : '要用 https 地址打开，或换新的浏览器；有扫码器就用不着' },
    { name: '时钟', good: off <= 5, must: false, note: off <= 5 ? '与大厅服务器一致' : '本机差 ' + off + ' 秒；页面已按大厅时间显示，请校准本机' },
    { name: '屏幕 ' + window.screen.width + ' × ' + window.screen.height, good: window.screen.width >= 1024 || window.screen.height >= 1024, must: false, note: '窗口页需 1080 像素宽，取号机建议竖屏 1080 × 1920' }
  ];
}

export function drawChecks(): void {
  const box = byId('checks');
  empty(box);
  const list = checks();
  for (let i = 0; i < list.length; i++) {
    const c = list[i];
    box.appendChild(make('li', '', undefined, [
      make('b', c.good ? 'yes' : c.must ? 'no' : 'soso', c.good ? '✓' : c.must ? '✗' : '—'),
      make('div', '', c.name, [make('small', '', c.note)])
    ]));
  }
  text(byId('agent'), navigator.userAgent);
}
