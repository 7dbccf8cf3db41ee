import { crc32 } from 'node:zlib'
import type { Content, Slice } from '../content.js'
import type { SentChecksum } from '../contestants.js'
import { transferFigures } from '../figures.js'
import { measureTransfer } from '../measure.js'
import { inWords } from '../sizes.js'
import type { Stage } from '../stage.js'
import { Unsupported, type Workload } from '../workload.js'
import { storeSmall } from './small-files.js'

/** Sends chunks that all have a checksum. */
export function checksumWorkload(algorithm: SentChecksum): Workload {
  return {
    name: algorithm,
    title: ({ checksum: [bytes, chunk] }) =>
      `${inWords(bytes)} in PATCHes of ${inWords(chunk)} with ${algorithm}`,
    figures: transferFigures,
    open: (stage) => openChecksums(stage, algorithm),
  }
}

/** Sends chunks with the checksum of the contestant. */
export const sentChecksums: Workload = {
  name: 'checksums',
  title: ({ checksum: [bytes, chunk] }) =>
    `${inWords(bytes)} in PATCHes of ${inWords(chunk)} with checksums`,
  figures: transferFigures,
  open: (stage) => openChecksums(stage, stage.contestant.checksum!),
}

async function openChecksums(stage: Stage, algorithm: SentChecksum) {
  const server = await stage.start()
  const probed = await storeSmall(stage, server)
  const [bytes, chunk] = stage.sizes.checksum
  const offered = await stage.connected(server, 1, ([client]) =>
    client!.announced('tus-checksum-algorithm'),
  )
  if (algorithm !== 'none' && !offered.includes(algorithm)) {
    throw new Unsupported(`no checksum ${algorithm}`)
  }
  return () =>
    stage.connected(server, 1, async ([client]) => {
      const slices: Slice[] = []
      for (let at = 0; at < bytes; at += chunk) slices.push([at, Math.min(at + chunk, bytes)])
      const headers = slices.map((slice) => checksumHeader(stage.content, slice, algorithm))
      const path = await client!.create(bytes)
      const figures = await measureTransfer(server, probed, bytes, async () => {
        for (const [i, slice] of slices.entries()) {
          await client!.patch(path, slice[0], stage.content.bytes(slice), headers[i])
        }
      })
      await stage.verifyAndRemove(server, path, [0, bytes])
      return figures
    })
}

function checksumHeader(content: Content, slice: Slice, algorithm: SentChecksum): string {
  if (algorithm === 'none') return ''
  const digest =
    algorithm === 'crc32' ? crc32Of(content.bytes(slice)) : content.digest(slice, algorithm)
  return `Upload-Checksum: ${algorithm} ${digest.toString('base64')}\r\n`
}

function crc32Of(bytes: Buffer): Buffer {
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(bytes))
  return digest
}
