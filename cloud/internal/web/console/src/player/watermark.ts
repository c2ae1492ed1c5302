const gapX = 360
const gapY = 200
const angle = -20 * (Math.PI / 180)

/** Draws text over a whole picture, slanted and in rows, so that no useful part of it can be shown without the viewer's name. */
export function drawWatermark(ctx: CanvasRenderingContext2D, width: number, height: number, text: string, scale: number): void {
  ctx.save()
  ctx.font = `${15 * scale}px "Noto Sans CJK SC", "Microsoft YaHei", sans-serif`
  ctx.fillStyle = 'rgb(255 255 255 / 28%)'
  ctx.shadowColor = 'rgb(0 0 0 / 70%)'
  ctx.shadowBlur = 2 * scale
  ctx.translate(width / 2, height / 2)
  ctx.rotate(angle)
  const reach = Math.hypot(width, height) / 2
  let row = 0
  for (let y = -reach; y < reach; y += gapY * scale, row++) {
    const shift = row % 2 === 0 ? 0 : (gapX * scale) / 2
    for (let x = -reach - shift; x < reach; x += gapX * scale) ctx.fillText(text, x, y)
  }
  ctx.restore()
}

/** The picture shown now, with the watermark and a caption burnt in, as PNG. Rejects before the first frame. */
export function snapshot(video: HTMLVideoElement, watermark: string, caption: string): Promise<Blob> {
  const canvas = document.createElement('canvas')
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  const ctx = canvas.getContext('2d')
  if (ctx === null || canvas.width === 0) return Promise.reject(new Error('no picture to take'))
  ctx.drawImage(video, 0, 0)
  const scale = Math.max(0.6, canvas.width / 1280)
  drawWatermark(ctx, canvas.width, canvas.height, watermark, scale)
  const bar = 34 * scale
  ctx.fillStyle = 'rgb(0 0 0 / 55%)'
  ctx.fillRect(0, canvas.height - bar, canvas.width, bar)
  ctx.fillStyle = '#fff'
  ctx.font = `${15 * scale}px "Noto Sans CJK SC", "Microsoft YaHei", sans-serif`
  ctx.textBaseline = 'middle'
  ctx.fillText(caption, 12 * scale, canvas.height - bar / 2)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the browser could not encode the picture'))), 'image/png')
  })
}
