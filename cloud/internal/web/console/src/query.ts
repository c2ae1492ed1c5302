import { computed, ref, watch, type Ref, type WritableComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

const typingPauseMS = 300

/**
 * A value that lives in the page's address, so that a filtered list can be bookmarked, shared and come back to. The
 * default value is not written. Setting any value but `page` goes back to the first page.
 */
export function useQueryValues() {
  const route = useRoute()
  const router = useRouter()
  let pending: Record<string, string | undefined> | null = null

  // Values set in one go make one navigation.
  function set(name: string, value: string | undefined): void {
    if (pending === null) {
      pending = {}
      queueMicrotask(() => {
        const query = { ...route.query, ...pending }
        pending = null
        void router.replace({ query, hash: route.hash })
      })
    }
    pending[name] = value
    if (name !== 'page' && !('page' in pending)) pending.page = undefined
  }

  function text<T extends string = string>(name: string, initial: NoInfer<T>): WritableComputedRef<T> {
    return computed({
      get: () => {
        const value = route.query[name]
        return typeof value === 'string' ? (value as T) : initial
      },
      set: (value) => set(name, value === initial || value === undefined ? undefined : value),
    })
  }

  function number(name: string, initial: number): WritableComputedRef<number> {
    return computed({
      get: () => {
        const value = Number(route.query[name])
        return Number.isInteger(value) && value > 0 ? value : initial
      },
      set: (value) => set(name, value === initial ? undefined : String(value)),
    })
  }

  return { text, number }
}

/** A text field's own value: what is typed reaches `target` when the typing pauses. */
export function useTyped(target: Ref<string>): Ref<string> {
  const typed = ref(target.value)
  watch(target, (value) => { if (value !== typed.value.trim()) typed.value = value })
  watch(typed, (value, _before, onCleanup) => {
    const timer = setTimeout(() => { target.value = value.trim() }, typingPauseMS)
    onCleanup(() => clearTimeout(timer))
  })
  return typed
}
