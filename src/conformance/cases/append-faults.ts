import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { StorageFault } from '../conformance-options.js'
import type { Fixture } from '../fixture/fixture.js'
import { Gate, turns } from '../fixture/gate.js'
import { Outage, proveTrue } from '../fixture/outage.js'
import { bodyOf, sample, TestBody } from '../fixture/test-body.js'

const data = sample(6000)
const stored = 1000

/** An append during a fault. */
interface Attempt {
  readonly fixture: Fixture
  readonly outage: Outage
  /** Opens when the first bytes are reported. */
  readonly reported: Gate
}

/** Makes the body of an attempt, in which the fault begins. */
type MakeBody = (attempt: Attempt) => TestBody | Promise<TestBody>

type Appending = 'append' | 'appendVerified'

/** Appends while the storage becomes unavailable. */
export const appendFaultCases: readonly Case[] = [
  ...(['append', 'appendVerified'] as const).flatMap((name) => [
    ...cases(
      name === 'append' ? 'dataStore' : 'verifiedAppender',
      'missing-or-unreachable',
      {
        [`${name} loses nothing when it starts while the storage is unavailable`]: (fixture) =>
          fixture.eachFault(fixture.faults, (fault) => during(fixture, fault, name, unplugged)),

        [`${name} loses nothing when the storage becomes unavailable between two batches`]: (
          fixture,
        ) => fixture.eachFault(fixture.faults, (fault) => during(fixture, fault, name, between)),

        [`${name} neither loses nor doubles bytes when the storage is unavailable for a moment`]: (
          fixture,
        ) => fixture.eachFault(fixture.faults, (fault) => during(fixture, fault, name, briefly)),
      },
      'unplug',
    ),
    ...cases(
      name === 'append' ? 'dataStore' : 'verifiedAppender',
      'an-aborted-signal',
      {
        async [`${name} settles when its signal aborts while the storage does not respond`](
          fixture,
        ) {
          for (const body of [unplugged, between]) await during(fixture, 'paused', name, body)
        },

        [`${name} neither loses nor doubles bytes when the storage responds again`]: (fixture) =>
          during(fixture, 'paused', name, late),
      },
      'paused',
    ),
  ]),

  ...cases(
    'verifiedAppender',
    'missing-or-unreachable',
    {
      'a chunk that is accepted while the storage is unavailable counts or not, and is never cut': (
        fixture,
      ) =>
        fixture.eachFault(fixture.faults, (fault) => {
          const body = () => bodyOf(data.subarray(stored, 3000))
          return during(fixture, fault, 'appendVerified', body, (outage) => outage.begin())
        }),
    },
    'unplug',
  ),
]

/** Appends during a fault. After its end, no reported byte is lost, and nothing is doubled. */
async function during(
  fixture: Fixture,
  fault: StorageFault,
  name: Appending,
  makeBody: MakeBody,
  onAccept: (outage: Outage) => Promise<void> = async () => {},
): Promise<void> {
  const upload = await fixture.created({ length: data.length })
  await upload.append(data.subarray(0, stored))
  const from = await upload.statOf(upload.slots)
  const outage = new Outage(fixture, fault)
  const reported = new Gate()
  const body = await makeBody({ fixture, outage, reported })
  let low = stored
  let counts = name === 'append'
  const options = {
    from,
    signal: outage.signal,
    onProgress(offset: number) {
      low = offset
      reported.open()
    },
  }
  const accept = async () => {
    await onAccept(outage)
    return (counts = true)
  }
  const succeeded = await outage.settles(() =>
    name === 'append' ? upload.append(body, options) : upload.appendVerified(body, accept, options),
  )
  await outage.end(upload)
  const given = stored + body.given
  await proveTrue(fixture, upload, data, {
    low: succeeded ? given : low,
    high: counts ? given : stored,
  })
}

/** The fault begins before the call. */
async function unplugged({ outage }: Attempt): Promise<TestBody> {
  await outage.begin()
  return bodyOf(data.subarray(stored, 3000))
}

/** The fault begins after the first batch, and lasts. */
function between(attempt: Attempt): TestBody {
  const { outage } = attempt
  async function* batches() {
    yield [data.subarray(stored, 3000)]
    await settled(attempt)
    await outage.begin()
    yield [data.subarray(3000, 4000)]
    await outage.aborted()
    if (outage.signal.aborted) return
    yield [data.subarray(4000)]
  }
  return new TestBody(batches(), data.length - stored)
}

/** The fault begins after the first batch, and ends before the next one. */
function briefly(attempt: Attempt): TestBody {
  async function* batches() {
    yield [data.subarray(stored, 3000)]
    await settled(attempt)
    await attempt.outage.begin()
    await attempt.outage.end()
    yield [data.subarray(3000, 4000)]
    yield [data.subarray(4000)]
  }
  return new TestBody(batches(), data.length - stored)
}

/** The storage responds again while the store waits for it. */
function late(attempt: Attempt): TestBody {
  const { fixture } = attempt
  async function* batches() {
    yield [data.subarray(stored, 3000)]
    await settled(attempt)
    const end = await fixture.unplug('paused')
    void turns().then(end)
    yield [data.subarray(3000, 4000)]
    yield [data.subarray(4000)]
  }
  return new TestBody(batches(), data.length - stored)
}

/** Waits until the first batch is stored, or for a moment if the store holds it back. */
async function settled({ reported }: Attempt): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const moment = new Promise((resolve) => (timer = setTimeout(resolve, 50)))
  await Promise.race([reported.opened, moment])
  clearTimeout(timer)
}
