const everything = '全部'

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
