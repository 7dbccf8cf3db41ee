// Serves uploads under /files, keeps their events in an outbox and sends them to a broker, until it
// kills itself with SIGKILL at a step of an event. The argument is JSON: `directory`, `port`, the
// `url` of the broker, and `death`: before or after (`when`) which `step` of an event of which
// `type`, and at which time that happens (`count`). Without it, the process lives until it is
// killed.
import { connect } from 'amqplib'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileOutbox, FileStore } from 'tuskit/file-store'
import { AmqpHooks } from '@tuskit/amqp-hooks'

const { directory, port, url, death } = JSON.parse(process.argv[2])

let left = death?.count
function dieAt(when, step, type) {
  const isMeant = death?.when === when && death.step === step && death.type === type
  if (isMeant && --left === 0) process.kill(process.pid, 'SIGKILL')
}

async function surrounded(step, type, work) {
  dieAt('before', step, type)
  const result = await work()
  dieAt('after', step, type)
  return result
}

/** The type of the event that each upload announces before its record changes, by its id. */
const announced = new Map()

const outbox = new FileOutbox({ directory: `${directory}/events` })
const dyingOutbox = {
  async put(entry, options) {
    const { type } = entry.event
    const put = () => outbox.put(entry, options)
    if (entry.happened) return surrounded('confirm', type, put)
    await surrounded('enqueue', type, put)
    announced.set(entry.upload.id, type)
  },
  delete: (entry, options) =>
    surrounded('acknowledge', entry.event.type, () => outbox.delete(entry, options)),
  get: (id, options) => outbox.get(id, options),
  giveUp: (entry, reason, options) => outbox.giveUp(entry, reason, options),
  uploadIds: (options) => outbox.uploadIds(options),
}

const records = new FileInfoStore({ directory })
function recording(id, work) {
  const type = announced.get(id)
  announced.delete(id)
  return surrounded('record', type, work)
}
const dyingRecords = {
  get: (id, options) => records.get(id, options),
  create: (upload, options) => recording(upload.id, () => records.create(upload, options)),
  update: (upload, options) => recording(upload.id, () => records.update(upload, options)),
  delete: (id, options) => records.delete(id, options),
}

const hooks = new AmqpHooks({
  connect: () => connect(url),
  queues: [{ name: 'uploads' }],
  events: ['post-create', 'post-finish', 'post-terminate'],
})
const dyingHooks = {
  events: hooks.events,
  open: () => hooks.open(),
  call: (call, options) => surrounded('deliver', call.event.type, () => hooks.call(call, options)),
  close: () => hooks.close(),
}

const handler = createHandler({
  basePath: '/files',
  composer: new StoreComposer()
    .useInfoStore(dyingRecords)
    .use(new FileStore({ directory }), new FileLocker({ directory, lease: 1_000 })),
  outbox: dyingOutbox,
  // The client chooses the id, so that it finds its upload after a response that it did not get.
  hooks: [{ preCreate: ({ upload }) => ({ id: upload.metadata.values.id }) }, dyingHooks],
})
// It does not outlive its test.
process.on('disconnect', () => process.exit())
createUploadServer(handler).listen(port, '127.0.0.1', () => process.send('listening'))
