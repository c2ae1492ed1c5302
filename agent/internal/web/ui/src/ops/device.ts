// What the server tells of devices, and how people call it.

export interface Counters { opens: number; failures: number; jobs: number; garbage: number; }
export interface Device {
  name: string; class: string; model: string; title: string; state: string; code: string; since: string; advice: string; detail: string;
  blind: boolean; counters: Counters; where: string; node: string; port: string; identity: string; tracing: boolean;
}
export interface Proposal { class: string; model: string; title: string; sure: boolean; name: string; stanza: string; }
export interface Spare { kind: string; path: string; ref?: string; port?: string; maker?: string; title?: string; proposals: Proposal[]; }
export interface Devices { devices: Device[]; found: Spare[]; }

const classNames: { [name: string]: string } = {
  printer: '小票打印机', scanner: '扫码器', idcard: '身份证阅读器', screen: '显示屏', speaker: '语音', callpad: '叫号器', ratingpad: '评价器'
};
const stateNames: { [state: string]: string } = { starting: '启动中', ok: '正常', degraded: '需注意', offline: '未连上', unusable: '配置不能用' };
const codeNames: { [code: string]: string } = {
  offline: '未连上', timeout: '不应答', address: '地址不对', paper_out: '缺纸', paper_low: '纸快用完', cover_open: '盖没盖好', cutter: '切刀卡住',
  busy: '被占用', permission: '没有权限', bad_reply: '答非所问', bad_config: '配置不对', unsupported: '不支持', noise: '数据读不懂',
  cards_unread: '读不出证件', unclear: '码看不清', no_picture: '没有画面', faulty: '自报故障', page_gone: '页面没开'
};
const kindNames: { [kind: string]: string } = {
  serial: '串口', printer: '打印口', input: '键盘类', hid: 'HID', video: '摄像头', sound: '声卡', usb: 'USB 设备'
};
const testNames: { [name: string]: string } = {
  printer: '打印测试条', scanner: '试扫码', idcard: '试读卡器', screen: '试显示', speaker: '试叫号', callpad: '试按键', ratingpad: '试评价器'
};
const testWaits: { [name: string]: string } = { scanner: '请对着扫码器扫一个码', callpad: '请在叫号器上按一个键', ratingpad: '请在评价器上按一档' };
const testEnds: { [name: string]: string } = {
  printer: '测试条打好了，请看一眼。', scanner: '扫到了，能用。', screen: '测试字发出去了，请看屏幕。', speaker: '说完了，听到了就能用。', callpad: '收到按键，能用。', ratingpad: '收到评价，能用；不会记到谁名下。'
};

export function classOf(d: { class: string }): string { return classNames[d.class] || d.class; }

/** 不应答, or 已接通 of a device that cannot tell more. */
export function stateOf(d: Device): string {
  return d.state === 'ok' && d.blind ? '已接通' : codeNames[d.code] || stateNames[d.state] || d.state;
}

export function kindOf(s: Spare): string { return kindNames[s.kind] || s.kind; }

export function testOf(d: Device): string { return testNames[d.class] || '测试'; }

/** What somebody has to do while a device is tested; empty for nothing. */
export function waitOf(d: Device): string { return testWaits[d.class] || ''; }

export function endOf(d: Device): string { return testEnds[d.class] || '测试通过。'; }

/** A screen that is a browser page has no line to listen to. */
export function isPage(d: Device): boolean { return d.where.indexOf('/screen/') === 0; }
