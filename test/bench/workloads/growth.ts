import type { Figures } from '../figures.js'
import type { RunningServer } from '../running-server.js'
import { counted } from '../sizes.js'
import type { Stage } from '../stage.js'
import type { Workload } from '../workload.js'
import { many } from './many.js'

/** Connections that fill a directory, and connections that are measured. */
const [filling, measured] = [16, 8]

export const growth: Workload = {
  name: 'growth',
  title: ({ growth: [few, most] }) =>
    `creation and HEAD with ${counted(most)} stored uploads, compared with ${counted(few)}`,
  figures: [
    { key: 'create', title: 'time of creation' },
    { key: 'head', title: 'time of HEAD' },
    { key: 'createRate', title: 'creations/s' },
    { key: 'headRate', title: 'HEADs/s' },
  ],
  async open(stage) {
    const [few, most] = stage.sizes.growth
    const [small, large] = [await fill(stage, few), await fill(stage, most)]
    const [creationsFew, creationsMany, heads, batches] = stage.sizes.growthBatch
    return async (): Promise<Figures> => {
      const [one, other] = [new Times(), new Times()]
      // Alternates, so that a disturbance affects both.
      for (let batch = 0; batch < batches; batch++) {
        await one.measure(stage, small, creationsFew, heads)
        await other.measure(stage, large, creationsMany, heads)
      }
      return {
        create: other.create / one.create,
        head: other.head / one.head,
        createRate: 1000 / other.create,
        headRate: 1000 / other.head,
      }
    }
  },
}

/** A server, and the uploads it has stored. */
interface Filled {
  readonly server: RunningServer
  readonly paths: string[]
}

/** The length of the uploads. None of their bytes is sent. */
const length = 1024

async function fill(stage: Stage, count: number): Promise<Filled> {
  const filled = { server: await stage.start(), paths: [] }
  await create(stage, filled, count, filling)
  return filled
}

/** Creates uploads. Resolves with the milliseconds that it took. */
function create(stage: Stage, { server, paths }: Filled, count: number, connections: number) {
  return stage.connected(server, connections, async (clients) => {
    const started = performance.now()
    await many(clients, count, async (client) => paths.push(await client.create(length)))
    return performance.now() - started
  })
}

/** Sends HEAD for uploads in many places. Resolves with the milliseconds that it took. */
function ask(stage: Stage, { server, paths }: Filled, count: number) {
  return stage.connected(server, measured, async (clients) => {
    const started = performance.now()
    await many(clients, count, async (client, i) => {
      // A step that shares no divisor with the number of uploads reaches all of them, in no order
      // that suits a disk.
      const offset = await client.head(paths[(i * 7_919) % paths.length]!)
      if (offset !== 0) throw new Error(`HEAD reports ${offset} for an empty upload`)
    })
    return performance.now() - started
  })
}

/** Milliseconds per request, over all batches. */
class Times {
  readonly #sums = { create: 0, head: 0, created: 0, headed: 0 }

  async measure(stage: Stage, filled: Filled, creations: number, heads: number): Promise<void> {
    this.#sums.create += await create(stage, filled, creations, measured)
    this.#sums.created += creations
    this.#sums.head += await ask(stage, filled, heads)
    this.#sums.headed += heads
  }

  get create(): number {
    return this.#sums.create / this.#sums.created
  }

  get head(): number {
    return this.#sums.head / this.#sums.headed
  }
}
