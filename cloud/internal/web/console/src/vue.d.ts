// For eslint, which does not look into .vue files; vue-tsc takes their real types.
declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}
