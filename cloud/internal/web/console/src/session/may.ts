import type { Role } from '@/api/types'
import type { SignedIn } from './session'

/** Who sees cameras. */
export const watchers: readonly Role[] = ['viewer', 'manager', 'maintainer', 'video']

/** Who publishes what the screens of halls show. */
export const publishers: readonly Role[] = ['manager', 'maintainer']

/** Who sees halls. */
export const viewers: readonly Role[] = ['viewer', 'clerk', 'manager', 'maintainer', 'video']

/** The first page that somebody may see. */
export function home(session: SignedIn): string {
  if (session.has(...viewers)) return '/halls'
  if (session.has('auditor')) return '/audit'
  return session.has('admin') ? '/users' : '/account'
}
