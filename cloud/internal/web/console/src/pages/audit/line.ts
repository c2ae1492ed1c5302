import type { AuditLine } from '@/api/types'

export interface Who {
  text: string
  /** The account behind the text; empty when the text is it. */
  account: string
  unknown: boolean
  hint: string
}

/** How to name who did something. */
export function who(l: AuditLine): Who {
  const known = { unknown: false, hint: '' }
  switch (l.by) {
    case 'token':
      return { ...known, text: '接口', account: l.user, hint: '程序凭通行证访问' }
    case 'command':
      return { ...known, text: '服务器命令', account: l.user, hint: '在服务器上用 hall-cloud 命令操作的系统账户' }
  }
  if (l.user.startsWith('?') && l.by === 'oidc') {
    return { text: '未知账号', account: l.user.slice(1), unknown: true, hint: '统一身份认证平台上的人，在这里没有账号。同一个人有同样的代号，服务重启后代号会变。' }
  }
  if (l.user.startsWith('?')) {
    return {
      text: '未知账号', account: l.user.slice(1), unknown: true,
      hint: '输入的账号不存在。输入的内容可能是密码，所以不保存；同样的内容有同样的代号，服务重启后代号会变。',
    }
  }
  return l.name === '' ? { ...known, text: l.user, account: '' } : { ...known, text: l.name, account: l.user }
}

/** The hall of a camera's code; empty when it is none. */
export function cameraHall(subject: string): string {
  return /^(\d{15})-CM\d{3}$/.exec(subject)?.[1] ?? ''
}
