// Serves uploads from a directory for the torture, together with another process that does the
// same. Writes to the log each finish hook, with the digest of the file at that moment, and each
// time that the process stood still. The argument is JSON: `plan` (RunPlan), `directory`, `log`,
// the `name` of the process, and `ahead`, the milliseconds by which its clock is ahead.
import { createHash } from 'node:crypto'
import { appendFileSync, createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'
import { FileInfoStore, FileLocker, FileStore } from '../.dist/file-store.js'

const { plan, directory, log, name, ahead } = JSON.parse(process.argv[2])

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

async function witness({ event, upload }) {
  const at = now()
  const hash = createHash('sha256')
  const path = join(directory, upload.storage.at.path)
  const error = await pipeline(createReadStream(path), hash).catch(({ code }) => code)
  const file = upload.metadata.values.filename
  note({
    at,
    hook: event.type,
    event: event.id,
    id: upload.id,
    file,
    error,
    hash: hash.digest('hex'),
  })
}

const beat = 100
let lastBeat = now()
setInterval(() => {
  const stood = now() - lastBeat - beat
  if (stood > plan.lease / 4) note({ stood })
  lastBeat = now()
}, beat).unref()

const composer = new StoreComposer()
const locker = new FileLocker({ directory, lease: plan.lease })
composer.use(
  locker,
  new FileStore({ directory, durability: plan.durability }),
  new FileInfoStore({ directory, durability: plan.durability }),
)
const handler = createHandler({
  basePath: '/files',
  composer,
  interimResponses: true,
  progressInterval: 10,
  expiration: { after: plan.expireAfter, sweepEvery: 1_000 },
  ...(plan.hooks && { hooks: { preFinish: witness, postFinish: witness } }),
})
const server = createUploadServer(handler)

process.on('message', async () => {
  const finished = await handler.uploads.finishPending()
  const removed = await handler.uploads.removeExpired()
  await locker.prune()
  process.send({ swept: finished + removed })
})
const leave = () => process.exit(1)
process.on('disconnect', leave)
process.on('SIGTERM', async () => {
  setTimeout(() => console.error('still there:', process.getActiveResourcesInfo()), 15_000).unref()
  await server.stop({ timeout: 5_000 })
  process.off('disconnect', leave)
  process.disconnect()
})

await handler.uploads.finishPending().catch((error) => console.error('finishPending', error))
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
