import type { Slice } from '../content.js'
import { requestFigures } from '../figures.js'
import { measureRequests } from '../measure.js'
import type { RunningServer } from '../running-server.js'
import { counted, inWords } from '../sizes.js'
import type { Stage } from '../stage.js'
import type { TusClient } from '../tus-client.js'
import type { Workload } from '../workload.js'
import { many } from './many.js'

export const smallPost: Workload = {
  name: 'small-post',
  title: ({ small: [count, bytes] }) =>
    `${counted(count)} files of ${inWords(bytes)}, each in its POST`,
  figures: requestFigures,
  open: (stage) =>
    openSmall(stage, async (client, body, created, time) => {
      await time(async () => created(await client.create(body.length, body)))
    }),
}

export const smallPatch: Workload = {
  name: 'small-patch',
  title: ({ small: [count, bytes] }) =>
    `${counted(count)} files of ${inWords(bytes)} by POST and PATCH`,
  figures: requestFigures,
  open: (stage) =>
    openSmall(stage, async (client, body, created, time) => {
      const path = await time(() => client.create(body.length))
      created(path)
      await time(() => client.patch(path, 0, body))
    }),
}

type Time = <Result>(request: () => Promise<Result>) => Promise<Result>
type Upload = (
  client: TusClient,
  body: Buffer,
  created: (path: string) => void,
  time: Time,
) => Promise<void>

async function openSmall(stage: Stage, upload: Upload) {
  const server = await stage.start()
  const [count, , connections] = stage.sizes.small
  return () =>
    stage.connected(server, connections, async (clients) => {
      const paths: string[] = []
      const figures = await measureRequests(server, async () => {
        const took: number[] = []
        const time: Time = async (request) => {
          const started = performance.now()
          const result = await request()
          took.push(performance.now() - started)
          return result
        }
        await many(clients, count, (client, i) => {
          const created = (path: string) => (paths[i] = path)
          return upload(client, stage.content.bytes(sliceOf(stage, i)), created, time)
        })
        return took
      })
      for (const [i, path] of paths.entries()) {
        await stage.content.verify(server.fileOf(path), sliceOf(stage, i))
      }
      return figures
    })
}

/** Returns different bytes for each file, as far as the content allows. */
function sliceOf({ content, sizes: { small } }: Stage, i: number): Slice {
  const start = (i * small[1]) % (content.size - small[1])
  return [start, start + small[1]]
}

/** Stores some small uploads for later requests. Resolves with their paths. */
export function storeMany(stage: Stage, server: RunningServer, count: number): Promise<string[]> {
  const [, , connections] = stage.sizes.small
  return stage.connected(server, connections, async (clients) => {
    const paths: string[] = []
    await many(clients, count, async (client, i) => {
      const body = stage.content.bytes(sliceOf(stage, i))
      paths[i] = await client.create(body.length, body)
    })
    for (const [i, path] of paths.entries()) {
      await stage.content.verify(server.fileOf(path), sliceOf(stage, i))
    }
    return paths
  })
}

/** Stores one for the probe. */
export async function storeSmall(stage: Stage, server: RunningServer): Promise<string> {
  const [path] = await storeMany(stage, server, 1)
  return path!
}
