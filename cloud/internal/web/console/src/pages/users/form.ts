import type { User } from '@/api/types'
import type { Word } from '@/format/words'

const everything = '全部'

/** What somebody shows beside his password; an administrator without any cannot do anything. */
export function factor(u: Pick<User, 'roles' | 'second_factor' | 'certificate'>): Word {
  const has = [u.second_factor ? '动态口令' : '', u.certificate ? '个人证书' : ''].filter((f) => f !== '')
  if (has.length > 0) return { text: has.join('、'), tone: 'ok' }
  return { text: '没有', tone: u.roles.includes('admin') ? 'warn' : 'off' }
}

/** The prefixes that somebody typed, with any commas or spaces between them. */
export function parseScope(text: string): string[] {
  return text
    .split(/[\s,，、;；]+/)
    .filter((p) => p !== '')
    .map((p) => (p === everything ? '' : p))
}

/** A scope as parseScope reads it. */
export function writeScope(scope: readonly string[]): string {
  return scope.map((p) => (p === '' ? everything : p)).join(',')
}

// Letters and digits that are not taken for one another.
const letters = 'abcdefghjkmnpqrstuvwxyz23456789'

/** A password to begin with: 60 bits of chance in groups that can be read out. */
export function drawPassword(): string {
  const groups = [0, 1, 2].map(() => {
    let text = ''
    while (text.length < 4) {
      const [n] = crypto.getRandomValues(new Uint8Array(1))
      if (n !== undefined && n < letters.length * 8) text += letters[n % letters.length] // the rest would come more often
    }
    return text
  })
  return groups.join('-')
}
