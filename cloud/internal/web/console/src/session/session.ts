import { readonly, shallowRef, type Ref } from 'vue'
import type { Api } from '@/api/client'
import type { Session } from '@/api/types'

/** Who is signed in on this browser. The proof itself is a cookie that scripts cannot read. */
export class SignedIn {
  private readonly userRef = shallowRef<Session | null>(null)
  private asked = false

  readonly user: Readonly<Ref<Session | null>> = readonly(this.userRef)

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
  }

  async signOut(): Promise<void> {
    await this.api.signOut()
    this.forget()
  }

  /** The server no longer knows us. */
  forget(): void {
    this.userRef.value = null
    this.asked = true
  }
}
