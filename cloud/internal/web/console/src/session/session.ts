import { readonly, shallowRef, type Ref } from 'vue'
import type { Api } from '@/api/client'
import type { Session } from '@/api/types'

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

  async signIn(user: string, password: string): Promise<void> {
    this.userRef.value = await this.api.signIn(user, password)
    this.asked = true
    this.farewellRef.value = ''
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
