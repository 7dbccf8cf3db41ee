import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Slice } from '../content.js'
import { sdkName } from '../contestants.js'
import { bytesFigures, type Figures } from '../figures.js'
import { measureBytes } from '../measure.js'
import type { RunningServer } from '../running-server.js'
import type { S3Place } from '../s3-place.js'
import { inWords } from '../sizes.js'
import type { Stage } from '../stage.js'
import type { Workload } from '../workload.js'

/** Stores slices of the content at the same time. Resolves with the keys of the objects. */
type Send = (slices: readonly Slice[]) => Promise<readonly string[]>

/** The names of {@link s3Workloads}. */
export const s3Names = ['s3-large', 's3-many']

/** Returns the workloads of uploads into a bucket. */
export function s3Workloads(place: S3Place): readonly Workload[] {
  return [
    {
      name: 's3-large',
      title: ({ s3Large }) => `${inWords(s3Large)} into S3`,
      figures: bytesFigures,
      async open(stage) {
        const server = await stage.start()
        await prepare(stage, server)
        return () => store(place, stage, server, [[0, stage.sizes.s3Large]])
      },
    },
    {
      name: 's3-many',
      title: ({ s3Many: [count, bytes] }) =>
        `${count} uploads of ${inWords(bytes)} into S3 at a time`,
      figures: [{ key: 'memory', title: 'peak MiB above idle' }, ...bytesFigures],
      // Every round has a process of its own, and warms it up.
      withoutWarmUp: true,
      open: (stage) => Promise.resolve(() => storeMany(place, stage)),
    },
  ]
}

async function storeMany(place: S3Place, stage: Stage): Promise<Figures> {
  const [count, bytes] = stage.sizes.s3Many
  const server = await stage.start()
  try {
    await prepare(stage, server)
    await store(place, stage, server, [[0, bytes]])
    const slices = Array.from({ length: count }, (_, i): Slice => [i * 7, i * 7 + bytes])
    return await store(place, stage, server, slices)
  } finally {
    await server.stop()
  }
}

/** Gives the bytes to a process that has no clients. */
async function prepare({ contestant, content, sizes }: Stage, server: RunningServer) {
  if (contestant.name !== sdkName) return
  const file = join(server.directory, 'content')
  await writeFile(file, content.bytes([0, sizes.s3Large]))
  await order(server, { file })
}

/** Stores slices at the same time, and removes them again. */
async function store(
  place: S3Place,
  stage: Stage,
  server: RunningServer,
  slices: readonly Slice[],
): Promise<Figures> {
  const bytes = slices.reduce((sum, [start, end]) => sum + end - start, 0)
  const before = server.meter.residentBytes()
  return sending(stage, server, slices.length, async (send) => {
    let keys: readonly string[] = []
    const figures = await measureBytes(server, bytes, async () => {
      keys = await send(slices)
    })
    await place.verifyAndEmpty(stage.content, keys, slices)
    return { ...figures, memory: figures.peak! - before / 1024 / 1024 }
  })
}

/** Runs `work` with connections for so many uploads at the same time. */
function sending<Result>(
  stage: Stage,
  server: RunningServer,
  count: number,
  work: (send: Send) => Promise<Result>,
): Promise<Result> {
  if (stage.contestant.name === sdkName) {
    return work(async (slices) => {
      const uploads = slices.map(([start, end], i) => [`upload-${i}`, start, end] as const)
      await order(server, { uploads })
      return uploads.map(([key]) => key)
    })
  }
  return stage.connected(server, count, (clients) =>
    work((slices) =>
      Promise.all(
        slices.map(async ([start, end], i) => {
          const path = await clients[i]!.create(end - start)
          await clients[i]!.patch(path, 0, stage.content.bytes([start, end]))
          return basename(path)
        }),
      ),
    ),
  )
}

async function order({ port }: RunningServer, what: object): Promise<void> {
  const body = JSON.stringify(what)
  const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body })
  if (!response.ok) throw new Error(await response.text())
}
