import { readonly, shallowRef, type Ref } from 'vue'
import type { Api } from '@/api/client'
import type { Arrival, Role, Session } from '@/api/types'

const nextKey = 'halledge-next'

/** The path of a page of ours, and '' for anything else. */
export function ownPath(path: unknown): string {
  return typeof path === 'string' && /^\/(?![/\\])/.test(path) ? path : ''
}

/** Who is signed in on this browser. The proof itself is a cookie that scripts cannot read. */
export class SignedIn {
  private readonly userRef = shallowRef<Session | null>(null)
  private readonly farewellRef = shallowRef('')
  private asked = false

  readonly user: Readonly<Ref<Session | null>> = readonly(this.userRef)
  /** Why the last session ended without anybody's signing out here; empty when there is nothing to say. */
  readonly farewell: Readonly<Ref<string>> = readonly(this.farewellRef)

  constructor(private readonly api: Api) {}

  /** The session, asked of the server once; null when nobody is signed in. Throws when the server cannot be reached. */
  async current(): Promise<Session | null> {
    if (!this.asked) {
      this.userRef.value = await this.api.session()
      this.asked = true
    }
    return this.userRef.value
  }

  async signIn(user: string, password: string, code: string): Promise<void> {
    this.adopt(await this.api.signIn(user, password, code))
    this.farewellRef.value = ''
  }

  /** Leaves for the unified identity platform, and remembers where to go afterwards. */
  async leave(next: string): Promise<void> {
    const url = await this.api.journey()
    sessionStorage.setItem(nextKey, next)
    window.location.assign(url)
  }

  /** Back from the platform; gives where to go, '' for the first page. */
  async arrive(arrival: Arrival): Promise<string> {
    const next = ownPath(sessionStorage.getItem(nextKey))
    sessionStorage.removeItem(nextKey)
    this.adopt(await this.api.arrive(arrival))
    this.farewellRef.value = ''
    return next
  }

  /** The server has said anew who is signed in. */
  adopt(session: Session): void {
    this.userRef.value = session
    this.asked = true
  }

  /** Asks the server again. */
  async refresh(): Promise<void> {
    this.userRef.value = await this.api.session()
  }

  /** Whether who is signed in has one of the roles, and nothing to do first. */
  has(...roles: readonly Role[]): boolean {
    const user = this.userRef.value
    return user !== null && user.must === '' && roles.some((role) => user.roles.includes(role))
  }

  async signOut(): Promise<void> {
    await this.api.signOut()
    this.forget('')
  }

  /** The server no longer knows us. The first reason given is the one to tell: later ones only follow from it. */
  forget(why: string): void {
    if (this.userRef.value !== null) this.farewellRef.value = why
    this.userRef.value = null
    this.asked = true
  }
}
