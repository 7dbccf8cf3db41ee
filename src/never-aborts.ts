import { setMaxListeners } from 'node:events'

/** A signal that never aborts. Any number of operations may listen to it. */
export const neverAborts = new AbortController().signal
setMaxListeners(0, neverAborts)
