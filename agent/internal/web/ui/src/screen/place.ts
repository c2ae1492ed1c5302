// How texts and lists find room on a screen that nobody can scroll.

/** How long a part of what is longer than its place stays. */
const turnMS = 8000;

/** Which part of long lists is shown now; all screens of a hall turn together. */
export function turnNow(): number {
  return Math.floor(Date.now() / turnMS);
}

/** The size of one rem in px. */
export function rem(): number {
  return parseFloat(window.getComputedStyle(document.documentElement).fontSize || '16');
}

export function upright(): boolean {
  return window.innerHeight > window.innerWidth;
}

/** Makes the letters smaller until a text is no wider than its box; gives their size in per cent. */
export function fit(target: HTMLElement, box: HTMLElement): number {
  target.style.fontSize = '';
  const room = box.clientWidth * .96;
  const size = Math.min(100, Math.floor(100 * room / target.offsetWidth));
  if (size < 100) {
    target.style.fontSize = size + '%';
  }
  return size;
}

/** How small a long name may be written, in per cent. */
const leastName = 65;

/** Writes a name that is cut at its end smaller, before it is cut. */
export function fitName(name: HTMLElement): void {
  if (name.scrollWidth > name.clientWidth) {
    name.style.fontSize = Math.max(leastName, Math.floor(100 * name.clientWidth / name.scrollWidth)) + '%';
  }
}

/** A part of a list, and which of how many it is. Size is that of the largest part: all are about as long. */
export interface Part<T> { items: T[]; size: number; page: number; pages: number; }

/** The part of a list whose turn it is, in a place that has room for most. */
export function partOf<T>(list: T[], most: number): Part<T> {
  const pages = Math.max(1, Math.ceil(list.length / Math.max(1, most)));
  const size = Math.ceil(list.length / pages);
  const page = turnNow() % pages;
  return { items: list.slice(page * size, page * size + size), size: size, page: page + 1, pages: pages };
}

/** "第 2/3 页", or "" for a list that is there as a whole. */
export function pageText(part: { page: number; pages: number }): string {
  return part.pages > 1 ? '第 ' + part.page + '/' + part.pages + ' 页' : '';
}
