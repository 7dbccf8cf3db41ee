import type {
  LiveError,
  LiveState,
  LiveUploadReport,
  ReportedError,
  WorkerReport,
} from '../monitor/worker-report.js'

/** The number of uploads that are shown. */
const maxUploads = 500
/** The number of errors that are shown. */
const maxErrors = 20

/** The unfinished uploads of all processes, as the page shows them. */
export interface LiveSnapshot {
  /** ISO 8601, UTC. */
  readonly at: string
  /** The numbers of the processes that report. */
  readonly workers: readonly number[]
  readonly uploads: readonly LiveUploadReport[]
  /** The number of further uploads, which are left out. */
  readonly omitted: number
  /** The latest errors of all processes, the latest first. */
  readonly errors: readonly ReportedError[]
}

/** In the order in which states hide each other when several processes know an upload. */
const states: readonly LiveState[] = ['receiving', 'stalled', 'working', 'waiting', 'idle']

/** Merges the reports of all processes. */
export function liveSnapshot(reports: readonly WorkerReport[]): LiveSnapshot {
  const ended = new Map<string, string>()
  for (const { id, at } of reports.flatMap((report) => report.ended)) {
    if (at > (ended.get(id) ?? '')) ended.set(id, at)
  }
  const merged = new Map<string, LiveUploadReport>()
  for (const upload of reports.flatMap(({ uploads }) => uploads)) {
    const { id, state, startedAt = '' } = upload
    const endedAt = ended.get(id)
    if (state === 'idle' && endedAt !== undefined && startedAt <= endedAt) continue
    const other = merged.get(id)
    merged.set(id, other === undefined ? upload : merge(other, upload))
  }
  const uploads = [...merged.values()].sort(
    (a, b) => Number(a.state === 'idle') - Number(b.state === 'idle') || newest(a, b),
  )
  return {
    at: new Date().toISOString(),
    workers: reports.map(({ worker }) => worker).sort((a, b) => a - b),
    uploads: uploads.slice(0, maxUploads),
    omitted: Math.max(0, uploads.length - maxUploads),
    errors: reports
      .flatMap(({ errors }) => errors)
      .sort((a, b) => compare(b.at, a.at))
      .slice(0, maxErrors),
  }
}

function newest(a: LiveUploadReport, b: LiveUploadReport): number {
  return compare(b.startedAt ?? '', a.startedAt ?? '') || compare(a.id, b.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function merge(one: LiveUploadReport, two: LiveUploadReport): LiveUploadReport {
  const [first, second] = rank(one) <= rank(two) ? [one, two] : [two, one]
  // The lock may just have been handed over: then the latest holder is right.
  const [holder] = [one.holder, two.holder]
    .filter((found) => found !== undefined)
    .sort((a, b) => a.for - b.for)
  const offsets = [one.offset, two.offset].filter((offset) => offset !== undefined)
  return {
    ...second,
    ...first,
    // Offsets never go down.
    ...(offsets.length > 0 && { offset: Math.max(...offsets) }),
    ...(holder && { holder }),
    bytesPerSecond: one.bytesPerSecond + two.bytesPerSecond,
    quiet: Math.min(one.quiet, two.quiet),
    errors: mergeErrors([...one.errors, ...two.errors]),
  }
}

function rank({ state }: LiveUploadReport): number {
  return states.indexOf(state)
}

function mergeErrors(errors: readonly LiveError[]): readonly LiveError[] {
  const merged = new Map<string, LiveError>()
  for (const error of errors) {
    const { code, count, at } = error
    const other = merged.get(code)
    const latest = other && other.at > at ? other.at : at
    merged.set(code, { code, count: count + (other?.count ?? 0), at: latest })
  }
  return [...merged.values()]
}
