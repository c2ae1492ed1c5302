import { describe, expect, it } from 'vitest'
import { base64, faultOf, fieldAfter, instant, limits, periodFault, pictureFault, totalFault, wholeText, type Draft } from '@/pages/notices/draft'

const text = (title: string, body = ''): Draft => ({ kind: 'text', id: 1, title, text: body })
const picture = (fields: Partial<{ name: string; bytes: number; width: number; height: number }> = {}): Draft =>
  ({ kind: 'picture', id: 1, name: '海报.png', bytes: 1000, width: 1920, height: 1080, url: '', file: new Blob(), ...fields })

describe('texts', () => {
  it('are published with their heading first', () => {
    expect(wholeText({ title: ' 停电通知 ', text: '明天检修\r\n请下午来\n' })).toBe('停电通知\n明天检修\n请下午来')
    expect(wholeText({ title: '停电通知', text: '' })).toBe('停电通知')
  })
  it('are refused for what the server refuses', () => {
    expect(faultOf(text('停电通知', '明天 上午\u3000检修，电话 0668-1234。'))).toBe('')
    expect(faultOf(text('', '明天'))).toContain('标题')
    expect(faultOf(text('x', '长'.repeat(599)))).toContain('601 字')
    expect(faultOf(text('x', '长'.repeat(598)))).toBe('')
    expect(faultOf(text('x', '行\n'.repeat(30)))).toContain('24 行')
    expect(faultOf(text('x', 'a\tb'))).toContain('制表符')
    expect(faultOf(text('x', 'a\u202eb'))).toContain('U+202E')
    expect(faultOf(text('x', 'a\u00a0b'))).toContain('U+00A0')
  })
})

describe('pictures', () => {
  it('are refused for what the server refuses', () => {
    expect(faultOf(picture())).toBe('')
    expect(faultOf(picture({ name: '海报.JPEG' }))).toBe('')
    for (const bad of [{ name: '海报.gif' }, { bytes: limits.pictureBytes + 1 }, { width: 0, height: 0 }, { width: 8, height: 8 }, { width: 4096, height: 4096 }, { width: 5000, height: 100 }]) {
      expect(pictureFault({ name: '海报.png', bytes: 1000, width: 1920, height: 1080, ...bad })).not.toBe('')
    }
  })
  it('are bounded together', () => {
    expect(totalFault([])).toContain('添加')
    expect(totalFault([picture(), text('x')])).toBe('')
    expect(totalFault(Array.from({ length: 13 }, () => text('x')))).toContain('12')
    expect(totalFault([picture({ bytes: limits.pictureBytes }), picture({ bytes: limits.pictureBytes }), picture()])).toContain('16 MiB')
  })
  it('travel in base64', async () => {
    expect(await base64(new Blob([new Uint8Array([0, 1, 254, 255])]))).toBe('AAH+/w==')
    expect((await base64(new Blob([new Uint8Array(100_000)]))).length).toBe(133_336)
  })
})

describe('times', () => {
  const now = Date.parse('2026-11-23T14:03:30+08:00')
  it('are those of Beijing', () => {
    expect(instant('2026-11-23T14:03')).toBe('2026-11-23T14:03:00+08:00')
    expect(instant('')).toBeNull()
    expect(instant('2026-13-01T00:00')).toBeNull()
    expect(fieldAfter(7, now)).toBe('2026-11-30T14:03')
  })
  it('have to make sense', () => {
    expect(periodFault('', '2026-11-24T00:00', now)).toBe('')
    expect(periodFault('', '', now)).toContain('结束时间')
    expect(periodFault('', '2026-11-23T14:00', now)).toContain('过了')
    expect(periodFault('2026-12-01T00:00', '2026-11-30T00:00', now)).toContain('晚于')
    expect(periodFault('', '2028-11-23T14:00', now)).toContain('400')
  })
})
