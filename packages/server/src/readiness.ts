import { randomUUID } from 'node:crypto'
import { isTusError, type StoreComposer, type UnplacedUpload } from 'tuskit'

/** How long each store may take, in milliseconds. */
const timeout = 5_000

/**
 * Returns why uploads cannot be stored right now: sentences without internals, each with its cause.
 * Asks each store about an upload that does not exist.
 */
export async function failuresOf(composer: StoreComposer): Promise<ReadonlyMap<string, unknown>> {
  const { dataStore, infoStore } = composer.slots()
  const options = { signal: AbortSignal.timeout(timeout) }
  const upload = nobodysUpload()
  const late = new Promise<Error>((resolve) => {
    const failure = new Error(`There is no response within ${timeout} ms`)
    options.signal.addEventListener('abort', () => resolve(failure))
  })
  const questions = {
    'The records of uploads cannot be read.': async () => infoStore?.get(upload.id, options),
    'The data of uploads cannot be read.': async () =>
      dataStore?.stat({ ...upload, storage: dataStore.locate(upload) }, options),
  }
  const failures = new Map<string, unknown>()
  for (const [sentence, ask] of Object.entries(questions)) {
    const failure = await Promise.race([
      late,
      ask().then(
        () => undefined,
        (error: unknown) => (isTusError(error, 'ERR_DATA_MISSING') ? undefined : error),
      ),
    ])
    if (failure !== undefined) failures.set(sentence, failure)
  }
  return failures
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
