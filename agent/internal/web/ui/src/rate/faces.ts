// The five grades, as a face and a word each.

/** One grade. Mouth is the path below the eyes. */
export interface Grade { id: string; name: string; mouth: string; }

export const grades: Grade[] = [
  { id: 'very_satisfied', name: '非常满意', mouth: 'M13 27c5 9 17 9 22 0z' },
  { id: 'satisfied', name: '满意', mouth: 'M14 29c5 6 15 6 20 0' },
  { id: 'fair', name: '基本满意', mouth: 'M15 31h18' },
  { id: 'dissatisfied', name: '不满意', mouth: 'M14 34c5-6 15-6 20 0' },
  { id: 'very_dissatisfied', name: '非常不满意', mouth: 'M13 36c5-9 17-9 22 0M13 16l6 3M35 16l-6 3' }
];

/** From this grade on the hall asks what was wrong. */
export const firstBad = 3;

/** What may have been wrong: pressed, not typed. */
export const faults = ['服务态度不好', '办理太慢', '没有一次说清楚', '让我多跑了一趟', '等候太久', '其他'];

export function face(mouth: string): SVGElement {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg') as SVGElement;
  svg.setAttribute('viewBox', '0 0 48 48');
  svg.setAttribute('aria-hidden', 'true');
  const circle = document.createElementNS(space, 'circle');
  circle.setAttribute('cx', '24');
  circle.setAttribute('cy', '24');
  circle.setAttribute('r', '21');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', 'M16 20v.5M32 20v.5' + mouth);
  svg.appendChild(circle);
  svg.appendChild(path);
  return svg;
}
