import { stat } from 'node:fs/promises'
import type { Slice } from '../content.js'
import type { Figures } from '../figures.js'
import type { RunningServer } from '../running-server.js'
import { counted } from '../sizes.js'
import type { Stage } from '../stage.js'
import type { Workload } from '../workload.js'
import { many } from './many.js'
import { storeMany } from './small-files.js'

/** The bytes of a piece, and the number of pieces of each client. */
const [piece, pieces] = [1024, 3]

/** The length of each upload, most of which never comes. */
const length = 1024 * 1024

/** After how many milliseconds everything sent must be stored. */
const storedWithin = 10_000

export const slow: Workload = {
  name: 'slow',
  title: ({ slow: [clients] }) =>
    `${counted(clients)} clients that each sent ${pieces} KiB and idle`,
  figures: [
    { key: 'memory', title: 'KiB per upload' },
    { key: 'descriptors', title: 'descriptors per upload' },
  ],
  // Every round has a process of its own, and warms it up.
  withoutWarmUp: true,
  async open(stage) {
    return async () => {
      const server = await stage.start()
      try {
        return await idle(stage, server)
      } finally {
        await server.stop()
      }
    }
  },
}

async function idle(stage: Stage, server: RunningServer): Promise<Figures> {
  const [count, warmUp] = stage.sizes.slow
  await storeMany(stage, server, warmUp)
  const paths = await stage.connected(server, 8, async (creators) => {
    const created: string[] = []
    await many(creators, count, async (client) => created.push(await client.create(length)))
    return created
  })
  const sliceOf = (i: number): Slice => [i * 7, i * 7 + pieces * piece]
  await server.settled()
  const before = { memory: server.meter.residentBytes(), open: server.meter.descriptors() }
  return stage.connected(server, count, async (clients) => {
    for (let sent = 0; sent < pieces; sent++) {
      for (const [i, client] of clients.entries()) {
        const body = stage.content.bytes(sliceOf(i)).subarray(sent * piece, (sent + 1) * piece)
        client.connection.stall(sent === 0 ? client.patchHead(paths[i]!, 0, length) : '', body)
      }
      await stored(paths, server, (sent + 1) * piece)
    }
    const memory = (server.meter.residentBytes() - before.memory) / 1024 / count
    const descriptors = (server.meter.descriptors() - before.open) / count
    if (clients.some(({ connection }) => connection.closed)) {
      throw new Error('the server does not wait for the rest')
    }
    for (const [i, path] of paths.entries()) {
      await stage.content.verify(server.fileOf(path), sliceOf(i))
    }
    return { memory, descriptors }
  })
}

/** Waits until each upload has that many bytes on the disk. */
async function stored(paths: readonly string[], server: RunningServer, bytes: number) {
  const until = performance.now() + storedWithin
  for (const path of paths) {
    while ((await stat(server.fileOf(path))).size < bytes) {
      if (performance.now() > until) {
        throw new Error(`the bytes sent are not stored within ${storedWithin} ms`)
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
