import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createHandler, isTusError, StoreComposer } from 'tuskit'
import type { Upload } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { Disk } from './disk.js'
import type { Remains } from './disk.js'
import type { DiskEvent, Message } from './disk-events.js'

/** What clients were told of an upload: what must be true after a power cut. */
interface Told {
  /** The highest offset. */
  readonly offset: number
  /** `leaving`: a client has asked for its removal; `gone`: a client was told of it. */
  readonly state: 'there' | 'leaving' | 'gone'
}

export interface Losses {
  /** In how many states the uploads were looked for. */
  readonly states: number
  /** What was wrong: after which step, and with which upload. */
  readonly losses: readonly string[]
}

/**
 * Cuts the power after every event, and looks with new stores at everything that the disk may have then. What must hold,
 * where `contents` are the bytes that belong to each upload:
 *
 * - an upload that was announced exists, and has at least the offset that was told last, unless its removal was asked for;
 * - whatever is its offset, the bytes before it are its own: none that failed their checksum, none of nobody;
 * - where finishing is recorded and was told, it is recorded;
 * - an upload whose removal was told does not exist, and neither does its data;
 * - data without a record does not exist, and an upload without data is recorded as removed or was never announced.
 *
 * Stops when it has found `enough`. What nobody was told of may be there or not: bytes of a request without an answer, and removals likewise.
 */
export async function lossesIn(
  events: readonly DiskEvent[],
  contents: Readonly<Record<string, string>>,
  enough = Infinity,
): Promise<Losses> {
  const disk = new Disk()
  const told = new Map<string, Told>()
  const seen = new Set<string>()
  const losses: string[] = []
  for (const moment of momentsOf(events)) {
    if (losses.length >= enough) break
    moment(disk, told)
    for (const remains of disk.remains()) {
      const state = JSON.stringify([[...remains], [...told]])
      if (seen.has(state)) continue
      seen.add(state)
      for (const loss of await lookAt(remains, told, contents)) {
        losses.push(`${loss}; left were ${[...remains.keys()].join(', ')}`)
      }
    }
  }
  return { states: seen.size, losses }
}

type Moment = (disk: Disk, told: Map<string, Told>) => void

/** The events, and the beginnings of syncs, in the order of the log. */
function momentsOf(events: readonly DiskEvent[]): Moment[] {
  const moments: { at: number; moment: Moment }[] = []
  for (const event of events) {
    if (event.kind === 'request' || event.kind === 'answer') {
      moments.push({ at: event.ends, moment: (_, told) => note(event, told) })
      continue
    }
    if (event.kind === 'sync') {
      moments.push({ at: event.begins, moment: (disk) => disk.beginSync(event) })
    }
    moments.push({ at: event.ends, moment: (disk) => disk.apply(event) })
  }
  return moments.sort((a, b) => a.at - b.at).map(({ moment }) => moment)
}

function note(message: Message, told: Map<string, Told>): void {
  const { method, url } = message.request
  if (message.kind === 'request') {
    const before = told.get(basename(url))
    if (method === 'DELETE' && before) told.set(basename(url), { ...before, state: 'leaving' })
    return
  }
  const { status, location, offset = 0 } = message.answer
  const id = basename(location ?? url)
  const before = told.get(id)
  const gone = (method === 'DELETE' && status === 204) || status === 410
  if (status >= 200 && (before !== undefined || method === 'POST')) {
    const state = gone ? 'gone' : (before?.state ?? 'there')
    told.set(id, { offset: Math.max(offset, before?.offset ?? 0), state })
  }
}

async function lookAt(
  remains: Remains,
  told: ReadonlyMap<string, Told>,
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
    for (const [id, facts] of told) {
      const loss = await lossOf(id, facts, contents[id]!, site)
      if (loss !== undefined) losses.push(`upload ${id}: ${loss}`)
    }
    return losses
  } finally {
    await rm(root, { recursive: true })
  }
}

type Site = ReturnType<typeof siteIn>

/** What a server would have that starts there. */
function siteIn(directory: string) {
  const composer = new StoreComposer().use(new FileStore({ directory }))
  const infoStore = new FileInfoStore({ directory })
  infoStore.useIn(composer)
  const { uploads } = createHandler({ basePath: '/files', composer })
  return { directory, infoStore, uploads }
}

/** Data that no record tells of, so that it would stay for ever. */
async function ownerless(remains: Remains, { infoStore }: Site): Promise<string[]> {
  const owned = new Set<string>()
  for await (const id of infoStore.ids({ signal: new AbortController().signal })) {
    const upload = await recordOf(id, infoStore)
    // What a creation that was cut off left: its record comes before its data.
    if (upload === 'unreadable') continue
    if (upload !== undefined) owned.add(`uploads/${upload.storage.at.path}`)
  }
  const isData = (path: string) => remains.get(path) !== undefined && !/\/\./.test(path)
  return [...remains.keys()].flatMap((path) =>
    isData(path) && !owned.has(path) ? [`nobody owns ${path}`] : [],
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

/** The last one: of a final upload whose partials are lost. */
const absences = ['ERR_UPLOAD_NOT_FOUND', 'ERR_UPLOAD_GONE', 'ERR_REJECTED'] as const

async function lossOf(
  id: string,
  { offset, state }: Told,
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
  if (!isRecorded(record, offset)) return 'is not finished any more'
  const path = join(directory, found.upload.storage.at.path!)
  const stored = await readFile(path, 'latin1').catch(() => undefined)
  if (stored === undefined) return 'has no data'
  return stored.slice(0, found.offset) === content.slice(0, found.offset)
    ? undefined
    : 'has foreign bytes'
}

/** Whether the record says of an upload that was told to be full what it has to. */
function isRecorded(record: Upload | undefined, offset: number): boolean {
  const { finish, length, state } = record!
  return finish === 'implied' || offset !== length || state.kind === 'finished'
}
