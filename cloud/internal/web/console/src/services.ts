import { inject, type App, type InjectionKey } from 'vue'
import { Api } from '@/api/client'
import { HallBook } from '@/live/halls'
import { LiveStream } from '@/live/stream'
import { SignedIn } from '@/session/session'

/** What every page may use; there is one set for the whole console. */
export interface Services {
  api: Api
  session: SignedIn
  stream: LiveStream
  halls: HallBook
}

const key: InjectionKey<Services> = Symbol('services')

export function makeServices(): Services {
  const api = new Api()
  const stream = new LiveStream(api)
  return { api, session: new SignedIn(api), stream, halls: new HallBook(api, stream) }
}

export function provideServices(app: App, services: Services): void {
  app.provide(key, services)
}

export function useServices(): Services {
  const services = inject(key)
  if (!services) throw new Error('services were not provided')
  return services
}
