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

// A page that the browser keeps for the way back keeps its connections too, and a few of them keep every other page out.
let left = false
window.addEventListener('pagehide', () => {
  left = services.stream.state.value !== 'off'
  services.stream.stop()
})
window.addEventListener('pageshow', () => {
  if (left) services.stream.start()
  left = false
})

const app = createApp(App)
provideServices(app, services)
app.use(router)
app.mount('#app')
