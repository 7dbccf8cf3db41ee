import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createHandler, isTusError, StoreComposer } from 'tuskit'
import type { Upload } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { Disk } from './disk.js'
import type { Remains } from './disk.js'
import type { DiskEvent, Message } from './disk-events.js'

/** The promises that clients got for an upload, which must hold after a power cut. */
interface Promised {
  /** The highest offset reported. */
  readonly offset: number
  /** `leaving`: a client has requested its removal; `gone`: the removal was confirmed. */
  readonly state: 'there' | 'leaving' | 'gone'
}

export interface Losses {
  /** The number of states that were checked. */
  readonly states: number
  /** The violations: after which step, and of which upload. */
  readonly losses: readonly string[]
}

/**
 * Cuts the power after every event, and checks with new stores every state in which the disk may be
 * then. `contents` are the bytes that belong to each upload. The following must hold:
 *
 * - An announced upload exists, and has at least the offset that was reported last, unless its
 *   removal was requested.
 * - The bytes before its offset are its own. None failed their checksum or belong elsewhere.
 * - Where finishing is recorded and was reported, it is still recorded.
 * - Neither an upload whose removal was confirmed nor its data exists.
 * - No data is without a record, and an upload without data is recorded as removed or was never
 *   announced.
 *
 * Stops after `enough` losses. Bytes and removals that were not reported to a client may be there
 * or not.
 */
export async function lossesIn(
  events: readonly DiskEvent[],
  contents: Readonly<Record<string, string>>,
  enough = Infinity,
): Promise<Losses> {
  const disk = new Disk()
  const promised = new Map<string, Promised>()
  const seen = new Set<string>()
  const losses: string[] = []
  for (const moment of momentsOf(events)) {
    if (losses.length >= enough) break
    moment(disk, promised)
    for (const remains of disk.remains()) {
      const state = JSON.stringify([[...remains], [...promised]])
      if (seen.has(state)) continue
      seen.add(state)
      for (const loss of await lookAt(remains, promised, contents)) {
        losses.push(`${loss}; left were ${[...remains.keys()].join(', ')}`)
      }
    }
  }
  return { states: seen.size, losses }
}

type Moment = (disk: Disk, promised: Map<string, Promised>) => void

/** The events, and the beginnings of syncs, in the order of the log. */
function momentsOf(events: readonly DiskEvent[]): Moment[] {
  const moments: { at: number; moment: Moment }[] = []
  for (const event of events) {
    if (event.kind === 'request' || event.kind === 'response') {
      moments.push({ at: event.ends, moment: (_, promised) => note(event, promised) })
      continue
    }
    if (event.kind === 'sync') {
      moments.push({ at: event.begins, moment: (disk) => disk.beginSync(event) })
    }
    moments.push({ at: event.ends, moment: (disk) => disk.apply(event) })
  }
  return moments.sort((a, b) => a.at - b.at).map(({ moment }) => moment)
}

function note(message: Message, promised: Map<string, Promised>): void {
  const { method, url } = message.request
  if (message.kind === 'request') {
    const before = promised.get(basename(url))
    if (method === 'DELETE' && before) promised.set(basename(url), { ...before, state: 'leaving' })
    return
  }
  const { status, location, offset = 0 } = message.response
  const id = basename(location ?? url)
  const before = promised.get(id)
  const gone = (method === 'DELETE' && status === 204) || status === 410
  if (status >= 200 && (before !== undefined || method === 'POST')) {
    const state = gone ? 'gone' : (before?.state ?? 'there')
    promised.set(id, { offset: Math.max(offset, before?.offset ?? 0), state })
  }
}

async function lookAt(
  remains: Remains,
  promised: ReadonlyMap<string, Promised>,
  contents: Readonly<Record<string, string>>,
): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'tuskit-cut-'))
  try {
    for (const [path, content] of remains) {
      if (content === undefined) await mkdir(join(root, path))
      else await writeFile(join(root, path), content, 'latin1')
    }
    const site = siteIn(join(root, 'uploads'))
    const losses = await ownerless(remains, site)
    for (const [id, facts] of promised) {
      const loss = await lossOf(id, facts, contents[id]!, site)
      if (loss !== undefined) losses.push(`upload ${id}: ${loss}`)
    }
    return losses
  } finally {
    await rm(root, { recursive: true })
  }
}

type Site = ReturnType<typeof siteIn>

/** The stores of a server that starts in that state. */
function siteIn(directory: string) {
  const composer = new StoreComposer().use(new FileStore({ directory }))
  const infoStore = new FileInfoStore({ directory })
  infoStore.useIn(composer)
  const { uploads } = createHandler({ basePath: '/files', composer })
  return { directory, infoStore, uploads }
}

/** Returns data that no record names, so that nothing would ever remove it. */
async function ownerless(remains: Remains, { infoStore }: Site): Promise<string[]> {
  const owned = new Set<string>()
  for await (const id of infoStore.ids({ signal: new AbortController().signal })) {
    const upload = await recordOf(id, infoStore)
    // A creation that was cut off: its record comes before its data.
    if (upload === 'unreadable') continue
    if (upload !== undefined) owned.add(`uploads/${upload.storage.at.path}`)
  }
  const isData = (path: string) => remains.get(path) !== undefined && !/\/\./.test(path)
  return [...remains.keys()].flatMap((path) =>
    isData(path) && !owned.has(path) ? [`no record names ${path}`] : [],
  )
}

async function recordOf(
  id: string,
  infoStore: FileInfoStore,
): Promise<Upload | 'unreadable' | undefined> {
  try {
    return await infoStore.get(id)
  } catch (error) {
    if (isTusError(error, 'ERR_INFO_CORRUPT')) return 'unreadable'
    throw error
  }
}

/** `ERR_REJECTED` is that of a final upload whose parts are lost. */
const absences = ['ERR_UPLOAD_NOT_FOUND', 'ERR_UPLOAD_GONE', 'ERR_REJECTED'] as const

async function lossOf(
  id: string,
  { offset, state }: Promised,
  content: string,
  { directory, infoStore, uploads }: Site,
): Promise<string | undefined> {
  const record = await recordOf(id, infoStore)
  if (record === 'unreadable') return 'has a record that cannot be read'
  const found = await uploads.inspect(id).catch((error: unknown) => {
    if (!absences.some((code) => isTusError(error, code))) throw error
  })
  if (found === undefined) {
    if (state === 'there') return 'is lost'
    if (state === 'leaving' && record?.state.kind === 'open') return 'was removed without a record'
    return undefined
  }
  if (state === 'gone') return 'is back'
  if (found.offset === undefined || found.offset < offset) return `${found.offset} of ${offset}`
  if (!isRecorded(record, offset)) return 'is no longer finished'
  const path = join(directory, found.upload.storage.at.path!)
  const stored = await readFile(path, 'latin1').catch(() => undefined)
  if (stored === undefined) return 'has no data'
  return stored.slice(0, found.offset) === content.slice(0, found.offset)
    ? undefined
    : 'has wrong bytes'
}

/** Whether the record shows that a full upload is finished, where it has to. */
function isRecorded(record: Upload | undefined, offset: number): boolean {
  const { finish, length, state } = record!
  return finish === 'implied' || offset !== length || state.kind === 'finished'
}
