// What somebody is about to publish. The server checks all of it again.

export const limits = {
  items: 12,
  pictureBytes: 8 * 1024 * 1024,
  totalBytes: 16 * 1024 * 1024,
  characters: 600,
  rows: 24,
  leastSide: 16,
  mostSide: 4096,
  dots: 3840 * 2160,
  days: 400,
} as const

export interface TextDraft { kind: 'text'; id: number; title: string; text: string }
export interface PictureDraft { kind: 'picture'; id: number; name: string; bytes: number; width: number; height: number; url: string; file: Blob }
export type Draft = TextDraft | PictureDraft

/** The text of a slide, as it is published: the first line is its heading. */
export function wholeText(d: Pick<TextDraft, 'title' | 'text'>): string {
  return `${d.title.trim()}\n${d.text.replaceAll('\r\n', '\n')}`.trim()
}

/** Characters as the server counts them. */
export function characters(text: string): number {
  return [...text].length
}

/** What is wrong with an item; empty when nothing is. */
export function faultOf(d: Draft): string {
  if (d.kind === 'picture') return pictureFault(d)
  const text = wholeText(d)
  if (d.title.trim() === '') return '请写标题。'
  const n = characters(text)
  if (n > limits.characters) return `连标题一共 ${n} 字，最多 ${limits.characters} 字。`
  if (text.split('\n').length > limits.rows) return `最多 ${limits.rows} 行。`
  const strange = [...text].find((c) => c !== '\n' && c !== '\u3000' && /[\p{C}\p{Z}]/u.test(c) && c !== ' ')
  if (strange === undefined) return ''
  return strange === '\t' ? '不能有制表符（Tab），请改成空格。' : `有看不见的特殊字符（U+${(strange.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}），请删掉重新打。`
}

/** What is wrong with a picture. */
export function pictureFault(p: Pick<PictureDraft, 'name' | 'bytes' | 'width' | 'height'>): string {
  if (!/\.(png|jpe?g)$/i.test(p.name)) return '只收 PNG 和 JPEG 图片。'
  if (p.bytes > limits.pictureBytes) return '图片太大，最多 8 MiB。'
  if (p.width === 0) return '图片打不开，请换一张。'
  if (Math.min(p.width, p.height) < limits.leastSide) return '图片太小。'
  if (Math.max(p.width, p.height) > limits.mostSide || p.width * p.height > limits.dots) return `图片是 ${p.width}×${p.height}，最大 3840×2160。`
  return ''
}

/** What is wrong with all items together. */
export function totalFault(list: readonly Draft[]): string {
  if (list.length === 0) return '请添加一段文字或一张图片。'
  if (list.length > limits.items) return `最多 ${limits.items} 项。`
  const bytes = list.reduce((sum, d) => sum + (d.kind === 'picture' ? d.bytes : 0), 0)
  return bytes > limits.totalBytes ? '图片合计最多 16 MiB；更多的请在中心服务器上用 hall-cloud notice publish 发布。' : ''
}

/** A time as a field has it, 2026-11-23T14:03, which is Beijing's wherever the operator's machine is; empty for none. */
export function instant(field: string): string | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(field)) return null
  const text = `${field}:00+08:00`
  return Number.isNaN(Date.parse(text)) ? null : text
}

/** The field of a moment some days later, in Beijing. */
export function fieldAfter(days: number, now: number): string {
  return new Date(now + days * 86_400_000 + 8 * 3_600_000).toISOString().slice(0, 16)
}

/** What is wrong with the time. from is empty for now. */
export function periodFault(from: string, until: string, now: number): string {
  const end = instant(until)
  if (end === null) return '请选结束时间。'
  const begin = from === '' ? now : Date.parse(instant(from) ?? '')
  if (Number.isNaN(begin)) return '开始时间不对。'
  if (Date.parse(end) <= now) return '结束时间已经过了。'
  if (Date.parse(end) <= begin) return '结束时间要晚于开始时间。'
  return Date.parse(end) - begin > limits.days * 86_400_000 ? `最长 ${limits.days} 天。` : ''
}

/** A file in base64. */
export async function base64(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(text)
}

/** Reads a picture's size in dots; 0 × 0 for a file that is none. */
export async function dotsOf(file: Blob): Promise<{ width: number; height: number }> {
  try {
    const picture = await createImageBitmap(file)
    const size = { width: picture.width, height: picture.height }
    picture.close()
    return size
  } catch {
    return { width: 0, height: 0 }
  }
}
