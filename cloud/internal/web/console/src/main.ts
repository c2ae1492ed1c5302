import { createApp } from 'vue'
import App from '@/App.vue'
import { makeRouter, signInRoute } from '@/router'
import { makeServices, provideServices } from '@/services'
import '@/styles/element'
import '@/styles/tokens.css'
import '@/styles/base.css'
import '@/styles/table.css'

const services = makeServices()
const router = makeRouter(services.session)
function leave(why: string): void {
  services.session.forget(why)
  const here = router.currentRoute.value
  if (!here.meta.open) void router.replace(signInRoute(here.fullPath))
}
services.api.onSignedOut = leave
services.stream.onEnded = leave

const app = createApp(App)
provideServices(app, services)
app.use(router)
app.mount('#app')
