/** The wait after failed try number `attempt` (from 1): doubling from firstMS to maxMS, each 80–120 % so that many clients do not return as one. */
export function backoffMS(attempt: number, firstMS: number, maxMS: number, random: number): number {
  const delay = Math.min(firstMS * 2 ** Math.max(0, attempt - 1), maxMS)
  return Math.round(delay * (0.8 + 0.4 * random))
}
