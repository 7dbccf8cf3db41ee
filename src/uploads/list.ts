import { cooperative } from '../cooperative.js'
import { TusError } from '../errors.js'
import { checkOptions, must } from '../check-options.js'
import { neverAborts } from '../never-aborts.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import { isFinished } from './record/completion.js'
import { withoutSecret } from './record/without-secret.js'
import { statIfThere } from './stores/stat-upload.js'

/** An upload as {@link Uploads.list} finds it. */
export type ListedUpload =
  | {
      readonly id: string
      /**
       * As in {@link Upload.state}, except that an upload whose bytes are all stored is `finished`,
       * even if nothing needs to record that.
       */
      readonly state: Upload['state']['kind']
      readonly upload: Upload
      /**
       * Bytes stored. Absent when it has no data: before a final upload is concatenated, and after
       * a removal.
       */
      readonly offset?: number
    }
  | {
      readonly id: string
      /** The record or the data cannot be read, so the state of the upload is unknown. */
      readonly state: 'unreadable'
      /** The reason. Never show it to clients: it may contain paths and addresses. */
      readonly error: unknown
    }

const states = ['open', 'finished', 'rejected', 'gone', 'unreadable'] as const

/** Which uploads to list. */
export interface ListUploadsOptions {
  /**
   * Only uploads whose ids come after this one, in the order of their UTF-16 code units.
   *
   * @default from the first
   */
  readonly after?: string
  /**
   * The maximum number of uploads.
   *
   * @default Infinity
   */
  readonly limit?: number
  /**
   * Only uploads in this state.
   *
   * @default all states
   */
  readonly state?: ListedUpload['state']
  /** Ends the list: the iteration rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/**
 * Uploads that are read at the same time; few enough to share a signal without a warning about its
 * listeners.
 */
const batchSize = 8

/** Lists uploads. Changes nothing, and takes no locks. */
export function list(engine: Engine, given: ListUploadsOptions): AsyncGenerator<ListedUpload> {
  const options = checkOptions<ListUploadsOptions>('uploads.list', given, {
    after: must.beText,
    limit: {
      expectation: `${must.beCount.expectation}, or Infinity`,
      accepts: (v) => v === Infinity || must.beCount.accepts(v),
    },
    state: must.beOneOf(...states),
    signal: must.beSignal,
  })
  if (engine.stores.infoLister === undefined) {
    throw new TusError('ERR_NOT_SUPPORTED', {
      message: 'uploads.list needs an info store that fills the slot InfoLister',
    })
  }
  return listed(engine, options)
}

async function* listed(
  engine: Engine,
  { after, limit = Infinity, state, signal = neverAborts }: ListUploadsOptions,
): AsyncGenerator<ListedUpload> {
  const ids = engine.stores.infoLister!.ids({ ...(after !== undefined && { after }), signal })
  let count = 0
  for await (const batch of cooperative(batches(ids))) {
    for (const found of await Promise.all(batch.map((id) => describe(engine, id, signal)))) {
      signal.throwIfAborted()
      if (found === undefined || (state !== undefined && found.state !== state)) continue
      yield found
      if (++count === limit) return
    }
  }
}

async function* batches(ids: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let batch: string[] = []
  for await (const id of ids) {
    if (batch.push(id) < batchSize) continue
    yield batch
    batch = []
  }
  yield batch
}

/** Returns `undefined` when the upload was removed since its id was listed. */
async function describe(
  engine: Engine,
  id: string,
  signal: AbortSignal,
): Promise<ListedUpload | undefined> {
  try {
    const upload = await engine.stores.infoStore.get(id)
    if (upload === undefined) return undefined
    const offset = await offsetOf(engine, upload, signal)
    const finished = offset !== undefined && isFinished(upload, offset)
    const { kind } = upload.state
    return {
      id,
      state: kind === 'open' && finished ? 'finished' : kind,
      upload: withoutSecret(upload),
      ...(offset !== undefined && { offset }),
    }
  } catch (error) {
    return { id, state: 'unreadable', error }
  }
}

async function offsetOf(
  engine: Engine,
  upload: Upload,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (upload.state.kind === 'finished') return upload.length
  if (upload.state.kind === 'gone') return undefined
  return (await statIfThere(engine, upload, { signal }))?.offset
}
