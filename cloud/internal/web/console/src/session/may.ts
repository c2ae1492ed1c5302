import type { Role } from '@/api/types'
import type { SignedIn } from './session'

/** Who sees halls and cameras. */
export const viewers: readonly Role[] = ['viewer', 'manager', 'maintainer', 'video']

/** The first page that somebody may see. */
export function home(session: SignedIn): string {
  if (session.has(...viewers)) return '/halls'
  if (session.has('auditor')) return '/audit'
  return session.has('admin') ? '/users' : '/account'
}
