// Serves uploads from a directory or a bucket for the torture, with records and locks there or in a
// database, together with other processes that do the same. Writes to the log each finish hook,
// with the digest of the file at that moment, and each time that the process stood still. The
// argument is JSON: `plan` (RunPlan), `storage` (as `Storage.describe` returns it), `log`, the
// `name` of the process, its `host` and `port`, and `ahead`, the milliseconds by which its clock is
// ahead.
import { createHash } from 'node:crypto'
import { appendFileSync, createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'

const { plan, storage, log, name, ahead, host, port } = JSON.parse(process.argv[2])
const { lease } = plan

if (ahead > 0) {
  const RealDate = Date
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length > 0 ? given : [Date.now()]))
    }
    static now() {
      return RealDate.now() + ahead
    }
  }
}

// All processes of a machine share this clock.
const now = () => Number(process.hrtime.bigint() / 1_000_000n)
const note = (line) =>
  appendFileSync(log, `${JSON.stringify({ process: name, at: now(), ...line })}\n`)

/**
 * The parts of the handler. `records` are for records and locks. `read` returns the bytes of an
 * upload, and rejects with a code.
 */
async function onDisk({ directory }) {
  const { FileInfoStore, FileLocker, FileStore } = await import('tuskit/file-store')
  const options = { directory, durability: plan.durability }
  return {
    data: new FileStore(options),
    records: [new FileLocker({ directory, lease }), new FileInfoStore(options)],
    read: async ({ path }) => createReadStream(join(directory, path)),
  }
}

async function inBucket({ endpoint, bucket, credentials }) {
  const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3')
  const { S3InfoStore, S3Locker, S3Store } = await import('@tuskit/s3-store')
  const client = new S3Client({
    endpoint,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    systemClockOffset: -ahead,
  })
  const { partSize, parallel } = plan
  const place = { client, bucket }
  const profile = { provider: { minPartSize: partSize }, partSize, parallel }
  return {
    data: new S3Store({ ...place, ...profile }),
    records: [new S3Locker({ ...place, lease, pollInterval: lease / 20 }), new S3InfoStore(place)],
    read: async ({ bucket: Bucket, key: Key }) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      return Body
    },
  }
}

async function inRedis(url) {
  const { createClient } = await import('redis')
  const { RedisInfoStore, RedisLocker } = await import('@tuskit/redis')
  const client = createClient({ url })
  // Without a listener, a lost connection would end the process.
  client.on('error', () => {})
  await client.connect()
  return {
    records: [new RedisLocker({ client, lease }), new RedisInfoStore({ client })],
    close: () => client.destroy(),
  }
}

async function inPostgres(connectionString) {
  const { Pool } = await import('pg')
  const { PostgresInfoStore, PostgresLocker } = await import('@tuskit/postgres')
  const pool = new Pool({ connectionString })
  pool.on('error', () => {})
  return {
    records: [new PostgresLocker({ pool, lease }), new PostgresInfoStore({ pool })],
    close: () => pool.end(),
  }
}

const { data, read, ...near } = await (storage.bucket ? inBucket(storage) : onDisk(storage))
const { redis, postgres } = storage
const { records, close } = redis
  ? await inRedis(redis)
  : postgres
    ? await inPostgres(postgres)
    : near
const parts = [data, ...records]

async function witness({ event, upload }) {
  const at = now()
  const hash = createHash('sha256')
  const error = await read(upload.storage.at)
    .then((bytes) => pipeline(bytes, hash))
    .catch(codeOf)
  note({
    at,
    hook: event.type,
    event: event.id,
    id: upload.id,
    file: upload.metadata.values.filename,
    error,
    hash: hash.digest('hex'),
  })
}

/** Returns `EIO` if the storage failed. */
function codeOf({ code, name }) {
  if (storage.bucket) return name === 'NoSuchKey' ? name : 'EIO'
  return code
}

const beat = 100
let lastBeat = now()
setInterval(() => {
  const stood = now() - lastBeat - beat
  if (stood > lease / 4) note({ stood })
  lastBeat = now()
}, beat).unref()

const handler = createHandler({
  basePath: '/files',
  composer: new StoreComposer().use(...parts),
  // nginx and HAProxy do not know 104.
  interimResponses: plan.front === undefined,
  progressInterval: 10,
  expiration: { after: plan.expireAfter, sweepEvery: 1_000 },
  ...(plan.hooks && { hooks: { preFinish: witness, postFinish: witness } }),
})
const server = createUploadServer(handler)

process.on('message', async () => {
  const finished = await handler.uploads.finishPending()
  const removed = await handler.uploads.removeExpired()
  for (const part of parts) await part.prune?.()
  process.send({ swept: finished + removed })
})
const leave = () => process.exit(1)
process.on('disconnect', leave)
process.on('SIGTERM', async () => {
  setTimeout(() => console.error('still there:', process.getActiveResourcesInfo()), 15_000).unref()
  await server.stop({ timeout: 5_000 })
  await close?.()
  process.off('disconnect', leave)
  process.disconnect()
})

await handler.uploads.finishPending().catch((error) => console.error('finishPending', error))
server.listen(port, host, () => process.send('listening'))
