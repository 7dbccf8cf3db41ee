import { createHash } from 'node:crypto'
import { WrongBytes } from '../content.js'
import { transferFigures } from '../figures.js'
import { measureTransfer } from '../measure.js'
import { inWords } from '../sizes.js'
import type { Workload } from '../workload.js'
import { storeSmall } from './small-files.js'

export const get: Workload = {
  name: 'get',
  title: ({ large }) => `GET of ${inWords(large)}`,
  figures: transferFigures,
  async open(stage) {
    const server = await stage.start()
    const probed = await storeSmall(stage, server)
    const { large } = stage.sizes
    // Connections stay open because some servers die when one is closed right after the last byte.
    const sender = await stage.connect(server)
    const path = await sender.create(large)
    await sender.patch(path, 0, stage.content.bytes([0, large]))
    await stage.content.verify(server.fileOf(path), [0, large])
    // The bytes are compared once; afterwards they are only counted.
    const hash = createHash('sha256')
    await sender.get(path, (piece) => hash.update(piece))
    if (!hash.digest().equals(stage.content.digest([0, large]))) {
      throw new WrongBytes(`${stage.contestant.name} serves bytes that differ from those sent`)
    }
    return async () => {
      const client = await stage.connect(server)
      return measureTransfer(server, probed, large, async () => {
        const bytes = await client.get(path)
        if (bytes !== large) throw new WrongBytes(`GET returned ${bytes} of ${large} bytes`)
      })
    }
  },
}
