import { stat } from 'node:fs/promises'
import type { Slice } from '../content.js'
import type { RunningServer } from '../running-server.js'
import { inWords } from '../sizes.js'
import type { Stage } from '../stage.js'
import { median } from '../statistics.js'
import { type TusClient, UnexpectedResponse } from '../tus-client.js'
import type { Workload } from '../workload.js'

/** After how many milliseconds the first half is expected to be stored. */
const settled = 1_000

export const resume: Workload = {
  name: 'resume',
  title: ({ resume: [, bytes] }) =>
    `${inWords(bytes)}, stalled half way and resumed by another client`,
  figures: [{ key: 'resumed', title: 'ms until 204' }],
  withoutWarmUp: true,
  async open(stage) {
    const server = await stage.start()
    const [count, bytes, patience] = stage.sizes.resume
    return async () => {
      const took: number[] = []
      for (let i = 0; i < count; i++) {
        const start = (i * bytes) % (stage.content.size - bytes)
        took.push(await resumeOne(stage, server, [start, start + bytes], patience))
      }
      return { resumed: median(took) }
    }
  },
}

/** Resolves with the milliseconds that it took. Fails when it takes longer than `patience`. */
function resumeOne(
  stage: Stage,
  server: RunningServer,
  slice: Slice,
  patience: number,
): Promise<number> {
  return stage.connected(server, 2, async ([first, second]) => {
    const body = stage.content.bytes(slice)
    const half = body.length / 2
    const path = await first!.create(body.length)
    const head = first!.patchHead(path, 0, body.length)
    // This connection is cut after the measurement.
    first!.connection.stall(head, body.subarray(0, half))
    await stored(server.fileOf(path), half)
    const started = performance.now()
    await finish(second!, path, body, patience)
    const took = performance.now() - started
    await stage.verifyAndRemove(server, path, slice)
    return took
  })
}

/**
 * Asks for the offset and sends the rest, repeatedly until that succeeds, or for `patience`
 * milliseconds.
 */
async function finish(
  client: TusClient,
  path: string,
  body: Buffer,
  patience: number,
): Promise<void> {
  let late = false
  const timer = setTimeout(() => {
    late = true
    client.close()
  }, patience)
  try {
    for (;;) {
      try {
        const offset = await client.head(path)
        return await client.patch(path, offset, body.subarray(offset))
      } catch (error) {
        if (late) throw new Error(`not resumed within ${patience} ms`, { cause: error })
        if (!(error instanceof UnexpectedResponse) || !mayPass(error.status)) throw error
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  } finally {
    clearTimeout(timer)
  }
}

function mayPass(status: number): boolean {
  return status === 409 || status === 423 || status >= 500
}

/** Waits a moment until a file has that many bytes. Some servers store later. */
async function stored(path: string, bytes: number): Promise<void> {
  const until = performance.now() + settled
  while (performance.now() < until) {
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    )
    if (size >= bytes) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
