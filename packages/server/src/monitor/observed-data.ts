import type { AppendOptions, DataStore, Stat, Upload, UploadBody, VerifiedAppender } from 'tuskit'
import type { LiveUploads } from './live-uploads.js'
import type { Metrics } from './metrics.js'
import { ObservedBody } from './observed-body.js'
import type { StoreTimer } from './store-timer.js'
import type { UploadChanges } from './upload-changes.js'

/** The parts of a monitor that observed stores report to. */
export interface Observation {
  readonly metrics: Metrics
  readonly live: LiveUploads
  readonly changes: UploadChanges
  readonly timer: StoreTimer
}

/** Observes the bytes of uploads. */
export function observedDataStore(inner: DataStore, observation: Observation): DataStore {
  const { live, changes, timer } = observation
  return {
    get maxSize() {
      return inner.maxSize
    },
    locate: (upload) => inner.locate(upload),
    async create(upload, options) {
      await timer.time('dataStore.create', () => inner.create(upload, options))
      changes.created(upload)
      note(live, upload, 0)
    },
    async stat(upload, options) {
      const stat = await timer.time('dataStore.stat', () => inner.stat(upload, options))
      changes.stored(upload, stat.offset)
      const known = live.find(upload.id)
      if (known) known.offset = stat.offset
      return stat
    },
    append: (upload, from, body, options) =>
      receive(
        { observation, operation: 'dataStore.append', upload, from, body, options },
        (observed, reporting) => inner.append(upload, from, observed, reporting),
      ),
  }
}

/** Observes the bytes of verified chunks. */
export function observedVerifiedAppender(
  inner: VerifiedAppender,
  observation: Observation,
): VerifiedAppender {
  const operation = 'verifiedAppender.appendVerified'
  return {
    appendVerified: (upload, from, body, accept, options) =>
      receive({ observation, operation, upload, from, body, options }, (observed, reporting) =>
        inner.appendVerified(upload, from, observed, accept, reporting),
      ),
  }
}

interface Reception {
  readonly observation: Observation
  readonly operation: string
  readonly upload: Upload
  readonly from: Stat
  readonly body: UploadBody
  readonly options: AppendOptions
}

async function receive(
  { observation, operation, upload, from, body, options }: Reception,
  store: (body: UploadBody, options: AppendOptions) => Promise<Stat>,
): Promise<Stat> {
  const { metrics, live, changes, timer } = observation
  const known = live.begin(upload.id)
  const observed = new ObservedBody(body, (count) => {
    metrics.bytesReceived.inc(count)
    known.speed.note(count)
  })
  const end = known.receive(observed)
  let counted = from.offset
  const advance = (offset: number) => {
    if (offset > counted) metrics.bytesStored.inc(offset - counted)
    counted = Math.max(counted, offset)
    known.offset = counted
  }
  note(live, upload, from.offset)
  const reporting: AppendOptions = {
    get signal() {
      return options.signal
    },
    fence: options.fence,
    saveSecret: (secret) => options.saveSecret(secret),
    progress(offset) {
      advance(offset)
      options.progress(offset)
    },
  }
  try {
    const waited = () => observed.waited
    const stat = await timer.time(operation, () => store(observed, reporting), waited)
    advance(stat.offset)
    changes.appended(upload, from.offset, stat.offset)
    return stat
  } finally {
    end()
    live.end(known)
  }
}

/** Makes an upload live, and notes what is known of it. */
function note(live: LiveUploads, upload: Upload, offset: number): void {
  const known = live.begin(upload.id)
  live.describe(upload)
  known.offset = offset
  live.end(known)
}
