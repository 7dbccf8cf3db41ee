import type { Slice } from '../content.js'
import { transferFigures } from '../figures.js'
import { measureTransfer } from '../measure.js'
import { inWords } from '../sizes.js'
import type { TusClient } from '../tus-client.js'
import type { Workload } from '../workload.js'
import { storeSmall } from './small-files.js'

export const onePatch: Workload = {
  name: 'one-patch',
  title: ({ large }) => `${inWords(large)} in one PATCH`,
  figures: transferFigures,
  async open(stage) {
    const server = await stage.start()
    const probed = await storeSmall(stage, server)
    const all: Slice = [0, stage.sizes.large]
    return () =>
      stage.connected(server, 1, async ([client]) => {
        const path = await client!.create(all[1])
        const body = stage.content.bytes(all)
        const figures = await measureTransfer(server, probed, all[1], () =>
          client!.patch(path, 0, body),
        )
        await stage.verifyAndRemove(server, path, all)
        return figures
      })
  },
}

export const chunks: Workload = {
  name: 'chunks',
  title: ({ large, chunk }) => `${inWords(large)} in sequential PATCHes of ${inWords(chunk)}`,
  figures: transferFigures,
  async open(stage) {
    const server = await stage.start()
    const probed = await storeSmall(stage, server)
    const { large, chunk } = stage.sizes
    return () =>
      stage.connected(server, 1, async ([client]) => {
        const path = await client!.create(large)
        const figures = await measureTransfer(server, probed, large, async () => {
          for (let at = 0; at < large; at += chunk) {
            const end = Math.min(at + chunk, large)
            await client!.patch(path, at, stage.content.bytes([at, end]))
          }
        })
        await stage.verifyAndRemove(server, path, [0, large])
        return figures
      })
  },
}

export const parallel: Workload = {
  name: 'parallel',
  title: ({ parallel: [count, bytes] }) => `${count} uploads of ${inWords(bytes)} at a time`,
  figures: transferFigures,
  async open(stage) {
    const server = await stage.start()
    const probed = await storeSmall(stage, server)
    const [count, bytes] = stage.sizes.parallel
    const sliceOf = (i: number): Slice => [i * bytes, (i + 1) * bytes]
    return () =>
      stage.connected(server, count, async (clients) => {
        const paths = await Promise.all(clients.map((client) => client.create(bytes)))
        const send = (client: TusClient, i: number) =>
          client.patch(paths[i]!, 0, stage.content.bytes(sliceOf(i)))
        const figures = await measureTransfer(server, probed, count * bytes, async () => {
          await Promise.all(clients.map(send))
        })
        for (const [i, path] of paths.entries()) {
          await stage.verifyAndRemove(server, path, sliceOf(i))
        }
        return figures
      })
  },
}
