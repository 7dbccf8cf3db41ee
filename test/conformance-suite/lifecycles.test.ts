import { expect, test } from 'vitest'
import { conformanceSuite } from 'tuskit/conformance'
import { openableStores } from '../handler/openable.js'

// Each case opens the stores before it uses them, and closes them afterwards.
conformanceSuite({
  test,
  slots: [
    ...(['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'] as const),
    ...(['infoStore', 'expiryIndex', 'infoLister', 'locker', 'lifecycles'] as const),
  ],
  memory: Infinity,
  factory() {
    const { composer, calls, early } = openableStores()
    return {
      composer,
      dispose() {
        expect([calls[0], calls.at(-1), early]).toEqual(['open', 'close', []])
        expect(calls.filter((call) => call === 'open' || call === 'close')).toHaveLength(2)
      },
    }
  },
})
