// The words the console shows for the API's names, and how serious each is.
import type { Condition, HallState, HallWindow, Profile, Role, TicketState } from '@/api/types'

export type Tone = 'ok' | 'info' | 'warn' | 'bad' | 'off'

export interface Word {
  text: string
  tone: Tone
}

export const hallStates: Record<HallState, Word> = {
  online: { text: '在线', tone: 'ok' },
  stale: { text: '上报中断', tone: 'warn' },
  offline: { text: '离线', tone: 'bad' },
  never: { text: '未接入', tone: 'off' },
}

export const profiles: Record<Profile, string> = {
  full: '市县级大厅',
  town: '镇街',
  village: '村居',
  '': '未知',
}

export const severities: Record<Condition['severity'], Word> = {
  error: { text: '故障', tone: 'bad' },
  warning: { text: '告警', tone: 'warn' },
  info: { text: '提示', tone: 'info' },
}

export const windowStates: Record<HallWindow['state'], Word> = {
  open: { text: '开放', tone: 'ok' },
  paused: { text: '暂停', tone: 'warn' },
  closed: { text: '关闭', tone: 'off' },
}

export const ticketStates: Record<TicketState, Word> = {
  waiting: { text: '等候', tone: 'info' },
  called: { text: '已叫号', tone: 'info' },
  serving: { text: '办理中', tone: 'ok' },
  held: { text: '挂起', tone: 'warn' },
  passed: { text: '过号', tone: 'warn' },
  done: { text: '办结', tone: 'off' },
  abandoned: { text: '弃号', tone: 'off' },
  withdrawn: { text: '退号', tone: 'off' },
  closed: { text: '日终清号', tone: 'off' },
}

const deviceStates: Record<string, Word> = {
  ok: { text: '正常', tone: 'ok' },
  starting: { text: '启动中', tone: 'info' },
  degraded: { text: '降级', tone: 'warn' },
  offline: { text: '离线', tone: 'bad' },
  unusable: { text: '不可用', tone: 'bad' },
}

const cameraStates: Record<string, Word> = {
  relaying: { text: '正常', tone: 'ok' },
  idle: { text: '待机', tone: 'info' },
  connecting: { text: '连接中', tone: 'info' },
  degraded: { text: '降级', tone: 'warn' },
  offline: { text: '离线', tone: 'bad' },
  auth_failed: { text: '口令错误', tone: 'bad' },
  '': { text: '未上报', tone: 'off' },
}

export const roles: Record<Role, { text: string; may: string }> = {
  viewer: { text: '查看', may: '大厅、号票、设备和摄像头的状态' },
  clerk: { text: '大厅人员', may: '自己大厅的队列和号票，看不到人员、设备和摄像头' },
  manager: { text: '大厅主管', may: '大厅、号票、设备、摄像头的状态，以及窗口的人员' },
  maintainer: { text: '运维', may: '大厅、设备和摄像头的状态，不看号票' },
  auditor: { text: '审计', may: '审计记录' },
  video: { text: '视频', may: '摄像头的画面' },
  admin: { text: '用户管理', may: '用户、角色和范围；要绑定动态口令' },
}

// Why a hall's relay does not, or not well, deliver a camera.
const cameraReasons: Record<string, string> = {
  camera_unreachable: '摄像头没有应答',
  camera_login: '用户名或密码不对',
  camera_busy: '摄像头连接数已满',
  camera_no_stream: '摄像头上没有这个地址',
  camera_no_video: '视频格式不支持',
  camera_not_allowed: '地址不在允许的网段内',
  camera_bad_answer: '摄像头应答不规范',
  camera_silent: '已连接但没有画面',
  camera_closed: '摄像头断开了连接',
  camera_changed: '换了机器，等大厅确认',
  camera_unlike: '自报的信息变了，等大厅核对',
  node_unreachable: '大厅连不上汇聚节点',
  node_refused: '汇聚节点拒绝接入',
  node_unproven: '收视频的不是中心',
  not_enrolled: '大厅没有接入中心',
  node_busy: '汇聚节点已满或重复推送',
  node_closed: '汇聚节点断开了连接',
  uplink_slow: '上行带宽不足',
  no_key_frame: '超过 10 秒没有关键帧',
  relay_off: '大厅没有配置汇聚节点',
}

const deviceClasses: Record<string, string> = {
  printer: '打印机',
  scanner: '扫码器',
  idcard: '身份证阅读器',
  screen: '显示屏',
  speaker: '语音',
  callpad: '叫号器',
  ratingpad: '评价器',
}

const scenes = ['', '入口', '取号区', '等候区', '窗口（群众侧）', '窗口（工作侧）', '自助区', '咨询导办台', '其他']

const classes: Record<string, string> = { normal: '普通', appointment: '预约', elder: '老幼残孕', priority: '依法优先' }
const channels: Record<string, string> = { kiosk: '取号机', desk: '导办台', window: '窗口', online: '线上' }
const prints: Record<string, Word> = {
  none: { text: '不打印', tone: 'off' },
  pending: { text: '待打印', tone: 'info' },
  printing: { text: '打印中', tone: 'info' },
  printed: { text: '已出票', tone: 'ok' },
  failed: { text: '出票失败', tone: 'bad' },
}
const grades: Record<string, string> = {
  very_satisfied: '非常满意',
  satisfied: '满意',
  fair: '基本满意',
  dissatisfied: '不满意',
  very_dissatisfied: '非常不满意',
}
const hows: Record<string, string> = {
  next: '顺序叫号',
  designated: '指定叫号',
  passed_recall: '过号重呼',
  transfer_in: '转号',
  recall: '重呼',
}

export const auditActions: Record<string, string> = {
  sign_in: '登录',
  sign_out: '退出',
  watch: '查看视频',
  user_add: '添加用户',
  user_disable: '停用用户',
  user_enable: '启用用户',
  user_name: '改用户姓名',
  user_roles: '改用户角色',
  user_scope: '改管辖范围',
  password: '改密码',
  second_factor: '绑定动态口令',
  second_factor_reset: '清除动态口令',
  recovery_code: '使用恢复码',
  certificate: '制发个人证书',
  certificate_revoke: '作废个人证书',
  user_invite: '邀请统一身份登录',
  user_link: '绑定统一身份',
  user_unlink: '解除统一身份',
  person_find: '查阅个人信息',
  person_export: '导出个人信息',
  person_erase: '删除个人信息',
  keys_destroy: '到期销毁密钥',
  chain_acknowledge: '确认日志告警',
  vault_rotate: '换用新密钥',
  audit_export: '导出审计记录',
  backup: '备份数据库',
  restore: '恢复数据库',
  enrol_code: '制发接入码',
  enrol: '设备接入',
  renew_ask: '申请更换证书',
  renew_approve: '批准更换证书',
  renew: '更换证书',
  revoke: '作废证书',
  quarantine: '隔离大厅身份',
  release: '解除隔离',
  certificates_import: '导入外部证书',
  notice_publish: '发布公告',
  notice_withdraw: '撤回公告',
}
const auditResults: Record<string, Word> = {
  ok: { text: '成功', tone: 'ok' },
  sign_in_wrong: { text: '账号或密码不对', tone: 'warn' },
  sign_in_code: { text: '等待动态口令', tone: 'info' },
  sign_in_certificate: { text: '没有出示有效的证书', tone: 'warn' },
  factor_code_wrong: { text: '动态口令不对', tone: 'warn' },
  sign_in_code_wrong: { text: '动态口令不对', tone: 'warn' },
  sign_in_locked: { text: '输错太多，已锁定', tone: 'bad' },
  session_replaced: { text: '同一浏览器重新登录', tone: 'ok' },
  oidc_unknown: { text: '没有可用的账号', tone: 'warn' },
  oidc_no_rights: { text: '没有权限', tone: 'warn' },
  oidc_taken: { text: '账号已属于别人', tone: 'bad' },
  oidc_factor: { text: '登录方式不够可靠', tone: 'warn' },
  user_disabled: { text: '账号已停用', tone: 'bad' },
  404: { text: '没有这个摄像头', tone: 'warn' },
  406: { text: '视频格式不能播放', tone: 'warn' },
  409: { text: '没有画面', tone: 'warn' },
  503: { text: '观看人数已满', tone: 'warn' },
}

// A hall may run a newer program than the centre: a name that is not known here is shown as it came.
const unknown = (name: string): Word => ({ text: name, tone: 'off' })

export const deviceState = (name: string): Word => deviceStates[name] ?? unknown(name)
export const deviceClass = (name: string): string => deviceClasses[name] ?? name
export const cameraState = (name: string): Word => cameraStates[name] ?? unknown(name)
export const cameraReason = (name: string): string => cameraReasons[name] ?? name
export const cameraStateNames = ['relaying', 'idle', 'connecting', 'degraded', 'offline', 'auth_failed']
export const scene = (n: number): string => scenes[n] ?? ''
export const ticketClass = (name: string): string => classes[name] ?? name
export const channel = (name: string): string => channels[name] ?? name
export const print = (name: string): Word => prints[name] ?? unknown(name)
export const grade = (name: string): string => grades[name] ?? name
export const how = (name: string): string => hows[name] ?? name
/** What somebody has shown beside his password. */
const factors: Record<string, string> = { totp: '动态口令', recovery_code: '恢复码', certificate: '个人证书' }

export const auditAction = (name: string): string => auditActions[name] ?? name
export const auditSubject = (action: string, subject: string): string => (action === 'sign_in' ? factors[subject] : undefined) ?? subject
export const auditResult = (name: string): Word => auditResults[name] ?? { text: `没有成功（${name}）`, tone: 'warn' }
export const windowName = (id: string): string => `${id} 号窗口`

/** Which halls a scope is of. */
export function scopeText(scope: readonly string[]): string {
  if (scope.includes('')) return '全部大厅'
  return scope.length === 0 ? '没有大厅' : `编码以 ${scope.join('、')} 开头的大厅`
}
