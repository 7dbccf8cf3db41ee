import { requestFigures } from '../figures.js'
import { measureRequests } from '../measure.js'
import { counted } from '../sizes.js'
import type { Workload } from '../workload.js'
import { many } from './many.js'
import { storeMany } from './small-files.js'

export const head: Workload = {
  name: 'head',
  title: ({ head: [count, uploads, connections] }) =>
    `${counted(count)} HEADs of ${uploads} uploads, ${connections} at a time`,
  figures: requestFigures,
  async open(stage) {
    const server = await stage.start()
    const [count, uploads, connections] = stage.sizes.head
    const paths = await storeMany(stage, server, uploads)
    const [, bytes] = stage.sizes.small
    return () =>
      stage.connected(server, connections, (clients) =>
        measureRequests(server, () =>
          many(clients, count, async (client, i) => {
            const offset = await client.head(paths[i % uploads]!)
            if (offset !== bytes) throw new Error(`HEAD reports ${offset} instead of ${bytes}`)
          }),
        ),
      )
  },
}
