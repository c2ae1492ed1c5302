import { createRouter, createWebHistory, type RouteLocationRaw, type Router } from 'vue-router'
import AccountPage from '@/pages/account/AccountPage.vue'
import AuditPage from '@/pages/audit/AuditPage.vue'
import CameraPage from '@/pages/cameras/CameraPage.vue'
import CamerasPage from '@/pages/cameras/CamerasPage.vue'
import ConsoleFrame from '@/pages/ConsoleFrame.vue'
import HallNow from '@/pages/hall/HallNow.vue'
import HallPage from '@/pages/hall/HallPage.vue'
import HallTickets from '@/pages/hall/HallTickets.vue'
import HallsPage from '@/pages/halls/HallsPage.vue'
import NoticePage from '@/pages/notices/NoticePage.vue'
import NoticesPage from '@/pages/notices/NoticesPage.vue'
import PublishPage from '@/pages/notices/PublishPage.vue'
import NoRight from '@/pages/NoRight.vue'
import NotFound from '@/pages/NotFound.vue'
import SignIn from '@/pages/SignIn.vue'
import SignInReturn from '@/pages/SignInReturn.vue'
import UsersPage from '@/pages/users/UsersPage.vue'
import type { Role } from '@/api/types'
import { home, publishers, viewers, watchers } from '@/session/may'
import type { SignedIn } from '@/session/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** Shown to people who are not signed in. */
    open?: boolean
    /** For those who have one of the roles; without it for everybody who is signed in. */
    roles?: readonly Role[]
    title: string
  }
}

const product = '大厅边缘系统 HallEdge'

/** The sign-in page, which leads back to `target` afterwards. */
export function signInRoute(target: string): RouteLocationRaw {
  return { name: 'sign-in', query: target === '/' || target === '/halls' ? {} : { next: target } }
}

export function makeRouter(session: SignedIn): Router {
  const router = createRouter({
    history: createWebHistory(),
    scrollBehavior(to, from, saved) {
      if (saved) return saved
      return to.path === from.path && to.query.page === from.query.page ? false : { top: 0 } // a filter moves nothing
    },
    routes: [
      { path: '/sign-in/oidc', name: 'sign-in-return', component: SignInReturn, meta: { open: true, title: '登录' } },
      { path: '/sign-in', name: 'sign-in', component: SignIn, meta: { open: true, title: '登录' } },
      {
        path: '/',
        component: ConsoleFrame,
        meta: { title: '' },
        children: [
          { path: '', name: 'first', component: NotFound, meta: { title: '' } }, // never shown: see beforeEach
          { path: 'halls', name: 'halls', component: HallsPage, meta: { title: '大厅', roles: viewers } },
          {
            path: 'halls/:id',
            component: HallPage,
            props: true,
            children: [
              { path: '', name: 'hall', component: HallNow, meta: { title: '大厅概况', roles: viewers } },
              { path: 'tickets', name: 'hall-tickets', component: HallTickets, meta: { title: '大厅号票', roles: ['viewer', 'clerk', 'manager'] } },
            ],
          },
          { path: 'cameras', name: 'cameras', component: CamerasPage, meta: { title: '摄像头', roles: watchers } },
          { path: 'cameras/:code', name: 'camera', component: CameraPage, props: true, meta: { title: '视频播放', roles: ['video'] } },
          { path: 'notices', name: 'notices', component: NoticesPage, meta: { title: '公告', roles: viewers } },
          { path: 'notices/new', name: 'notice-new', component: PublishPage, meta: { title: '发布公告', roles: publishers } },
          { path: 'notices/:hall/:group', name: 'notice', component: NoticePage, props: true, meta: { title: '公告内容', roles: viewers } },
          { path: 'audit', name: 'audit', component: AuditPage, meta: { title: '审计', roles: ['auditor'] } },
          { path: 'users', name: 'users', component: UsersPage, meta: { title: '用户', roles: ['admin'] } },
          { path: 'account', name: 'account', component: AccountPage, meta: { title: '我的账号' } },
          { path: 'refused', name: 'refused', component: NoRight, meta: { title: '没有权限' } },
          { path: ':rest(.*)*', name: 'lost', component: NotFound, meta: { title: '页面不存在' } },
        ],
      },
    ],
  })
  router.beforeEach(async (to) => {
    if (to.meta.open) return true
    const user = await session.current()
    if (user === null) return signInRoute(to.fullPath)
    if (user.must !== '' && to.name !== 'account') return { name: 'account' } // nothing else is let through
    if (to.name === 'first') return home(session) // which nobody knew before
    const roles = to.meta.roles
    return roles === undefined || session.has(...roles) ? true : { name: 'refused' }
  })
  router.afterEach((to) => {
    document.title = `${to.meta.title} · ${product}`
  })
  return router
}
