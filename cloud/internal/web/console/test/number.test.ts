import { expect, it } from 'vitest'
import { bitRate, byteSize, count, percent } from '@/format/number'

it('groups thousands', () => expect(count(1234567)).toBe('1,234,567'))

it.each([
  [0, '0 bit/s'], [999, '999 bit/s'], [1000, '1 kbit/s'], [512_000, '512 kbit/s'],
  [999_499, '999 kbit/s'], [999_500, '1.00 Mbit/s'], [4_096_000, '4.10 Mbit/s'],
])('%d bits a second are %s', (bits, text) => expect(bitRate(bits)).toBe(text))

it.each([[0, '0 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [18_874_368, '18.0 MiB']])(
  '%d bytes are %s', (bytes, text) => expect(byteSize(bytes)).toBe(text))

it('writes shares', () => expect(percent(0.0125)).toBe('1.3%'))
