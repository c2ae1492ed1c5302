const whole = new Intl.NumberFormat('zh-CN', { maximumFractionDigits: 0 })

/** 12,345 */
export function count(n: number): string {
  return whole.format(n)
}

/** Bits per second in the decimal units cameras are sold by: 980 bit/s, 512 kbit/s, 1.02 Mbit/s. */
export function bitRate(bitsPS: number): string {
  if (bitsPS < 1000) return `${Math.round(bitsPS)} bit/s`
  if (bitsPS < 999_500) return `${Math.round(bitsPS / 1000)} kbit/s`
  return `${(bitsPS / 1_000_000).toFixed(2)} Mbit/s`
}

/** Bytes in binary units: 512 B, 1.5 KiB, 20.0 MiB. */
export function byteSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`
}

/** 0.12 → 12.0% */
export function percent(part: number): string {
  return `${(part * 100).toFixed(1)}%`
}
