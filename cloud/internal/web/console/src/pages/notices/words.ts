import type { Notice, NoticeState } from '@/api/types'
import { dateTime, parseTime } from '@/format/time'
import type { Word } from '@/format/words'

export const noticeStates: Record<NoticeState, Word> = {
  showing: { text: '正在显示', tone: 'ok' },
  waiting: { text: '已送达，没到时间', tone: 'info' },
  pending: { text: '还没送达', tone: 'info' },
  refused: { text: '大厅没有采用', tone: 'bad' },
  altered: { text: '内容和签名不一样', tone: 'bad' },
  no_screen: { text: '没有这组屏幕', tone: 'warn' },
  unknown: { text: '大厅没有上报', tone: 'off' },
  expired: { text: '已过期', tone: 'off' },
  withdrawing: { text: '撤回中', tone: 'info' },
  withdrawn: { text: '已撤回', tone: 'off' },
}

/** What to know, or to do, about a state; empty when it speaks for itself. */
export function advice(n: Notice): string {
  switch (n.state) {
    case 'pending': return n.hall_state === 'online' ? '大厅在线，几秒钟就会送到。' : '大厅不在线，连上以后自动送到；没有网络的大厅请用 U 盘带去。'
    case 'refused': return '大厅认为签名、内容或时间不对，还在显示原来的。请重新发布；总是这样，请查清是不是有人冒充中心。'
    case 'altered': return '存着的文件或屏幕上的内容被改过，屏幕已经换成内置页面。请先看一眼屏幕，再查谁动过主机或屏幕，然后重新发布。'
    case 'no_screen': return `大厅设置里没有一块屏幕的 group 是 ${n.group}，没有人看得到它。`
    case 'unknown': return '大厅的程序是旧版本，或者从来没有连上过，不知道它显示什么。'
    case 'withdrawing': return n.hall_state === 'online' ? '等大厅确认已经不显示。' : '大厅不在线，连上以后马上不再显示。'
    default: return ''
  }
}

/** Minutes are exact enough: 2026-11-23 14:03. */
export function minute(text: string): string {
  const at = parseTime(text)
  return at === null ? '—' : dateTime(at).slice(0, 16)
}

/** What people know a notice by. */
export function headingOf(n: Pick<Notice, 'heading' | 'items'>): string {
  return n.heading || `${n.items} 张图片`
}
