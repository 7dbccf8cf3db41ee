import { randomUUID } from 'node:crypto'
import { isTusError, type StoreComposer, type UnplacedUpload } from 'tuskit'

/** How long each store may take, in milliseconds. */
const timeout = 5_000

/**
 * Returns why uploads cannot be stored right now, in sentences without internals. Asks each store
 * about an upload that does not exist.
 */
export async function reasonsNotReady(composer: StoreComposer): Promise<readonly string[]> {
  const { dataStore, infoStore } = composer.slots()
  const options = { signal: AbortSignal.timeout(timeout) }
  const upload = nobodysUpload()
  const questions: Readonly<Record<string, () => Promise<unknown> | undefined>> = {
    'The records of uploads cannot be read.': () => infoStore?.get(upload.id, options),
    'The data of uploads cannot be read.': () =>
      dataStore?.stat({ ...upload, storage: dataStore.locate(upload) }, options),
  }
  const reasons = Object.entries(questions).map(async ([reason, ask]) => {
    const late = new Promise((resolve) => options.signal.addEventListener('abort', resolve))
    const failed = await Promise.race([
      Promise.resolve(ask()).then(
        () => false,
        (error: unknown) => !isTusError(error, 'ERR_DATA_MISSING'),
      ),
      late.then(() => true),
    ])
    return failed ? reason : undefined
  })
  return (await Promise.all(reasons)).filter((reason) => reason !== undefined)
}

function nobodysUpload(): UnplacedUpload {
  return {
    id: `check-${randomUUID()}`,
    revision: 1,
    protocol: 'tus',
    length: 0,
    metadata: { raw: '', values: {} },
    createdAt: new Date().toISOString(),
    finish: 'implied',
    state: { kind: 'open' },
  }
}
