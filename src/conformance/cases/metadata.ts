import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { metadataOf } from '../fixture/records.js'
import { rejects, unless } from '../fixture/rejects.js'
import { sample } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

/** Names that clients send with their files. Two uploads can have the same one. */
const fileNames = [
  ...['holiday.mp4', '../x', '../../x', '/tuskit-conformance/x', 'C:\\x', '..\\x', 'x\0y'],
  ...['n'.repeat(300), 'e\u0301', '\u00e9', '\u{1f600}', '', '.', '..', 'x.', 'x...', ' '],
]

/** The keys of metadata in which clients send a name or a path. */
const keys = ['filename', 'name', 'relativePath', 'path', 'key']

/** Uploads whose metadata holds the same names, or those of files elsewhere. */
export const metadataCases: readonly Case[] = [
  ...cases('dataStore', 'places', {
    async 'uploads stay separate whatever file names their metadata holds'(fixture) {
      for (const [upload, bytes] of await named(fixture)) await upload.expectContent(bytes)
    },
  }),

  ...cases('terminator', 'places', {
    async 'terminate does not affect uploads with the same file name'(fixture) {
      for (const [i, [upload, bytes]] of (await named(fixture)).entries()) {
        if (i % 2 > 0) {
          await upload.expectContent(bytes)
          continue
        }
        await upload.terminate()
        await rejects(() => upload.stat(), 'ERR_DATA_MISSING', 'stat after terminate')
      }
    },
  }),
]

/**
 * Makes two uploads for each file name, and returns them with their bytes. A store can refuse all
 * names but the first.
 */
async function named(fixture: Fixture): Promise<readonly (readonly [TestUpload, Buffer])[]> {
  const stored: (readonly [TestUpload, Buffer])[] = []
  for (const [i, name] of [...fileNames, ...fileNames].sort().entries()) {
    const bytes = sample(100 + i)
    const metadata = metadataOf(Object.fromEntries(keys.map((key) => [key, name])))
    const make = () => fixture.created({ length: bytes.length, metadata })
    const upload = name === fileNames[0] ? await make() : await unless('ERR_INVALID_PLACE', make)
    if (upload === undefined) continue
    await upload.append(bytes)
    stored.push([upload, bytes])
  }
  return stored
}
