import { onBeforeUnmount, onMounted, readonly, shallowRef, type Ref } from 'vue'

/** The wall clock in ms, moving once a second while the component is shown. */
export function useNow(): Readonly<Ref<number>> {
  const now = shallowRef(Date.now())
  let timer: ReturnType<typeof setInterval> | undefined
  onMounted(() => { timer = setInterval(() => { now.value = Date.now() }, 1000) })
  onBeforeUnmount(() => clearInterval(timer))
  return readonly(now)
}
