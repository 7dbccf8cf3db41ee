import { rm } from 'node:fs/promises'
import type { Slice } from '../content.js'
import { transferFigures } from '../figures.js'
import { measureTransfer } from '../measure.js'
import { inWords } from '../sizes.js'
import { Unsupported, type Workload } from '../workload.js'
import { storeSmall } from './small-files.js'

export const concat: Workload = {
  name: 'concat',
  title: ({ concat: [parts, bytes] }) => `concatenation of ${parts} × ${inWords(bytes)}`,
  figures: transferFigures,
  async open(stage) {
    const server = await stage.start()
    const probed = await storeSmall(stage, server)
    const offered = await stage.connected(server, 1, ([client]) =>
      client!.announced('tus-extension'),
    )
    if (!offered.includes('concatenation')) throw new Unsupported('no concatenation')
    const [parts, bytes] = stage.sizes.concat
    return () =>
      stage.connected(server, 1, async ([client]) => {
        const paths: string[] = []
        for (let i = 0; i < parts; i++) {
          const slice: Slice = [i * bytes, (i + 1) * bytes]
          const part = await client!.create(bytes, undefined, 'Upload-Concat: partial\r\n')
          await client!.patch(part, 0, stage.content.bytes(slice))
          paths.push(part)
        }
        let whole = ''
        const figures = await measureTransfer(server, probed, parts * bytes, async () => {
          whole = await client!.join(paths)
        })
        await stage.verifyAndRemove(server, whole, [0, parts * bytes])
        // A server may have turned a part into the whole.
        for (const part of paths) await rm(server.fileOf(part), { force: true })
        return figures
      })
  },
}
