import ms from 'ms'
import { expect, test } from 'vitest'
import { operation } from '../../packages/server/src/settings/operation.js'
import { read } from '../house/source-files.js'

/** The time after `stop-timeout` in which the program kills a worker, in seconds. */
const grace = 5

test.each([
  ['examples/deploy/systemd/tuskit.service', /^TimeoutStopSec=(\d+)$/m],
  ['examples/deploy/compose.yaml', /^ +stop_grace_period: (\d+)s$/m],
  ['examples/deploy/kubernetes/tuskit.yaml', /^ +terminationGracePeriodSeconds: (\d+)$/m],
])('%s gives the program the time that it takes to stop', (file, pattern) => {
  const [, seconds] = pattern.exec(read(file))!
  const stopTimeout = ms(operation['stop-timeout'].default) / 1_000
  expect(Number(seconds)).toBeGreaterThan(stopTimeout + grace)
})
