import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants, type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { memoryComposer, until } from '../support/serve.js'
import {
  connectHttp2,
  createOverHttp2,
  offsetOverHttp2,
  openStream,
  patchHead,
  sendHttp2,
  serveUploads,
  transports,
} from '../support/serve-http2.js'
import { newGate, keptLog, slowStore } from '../support/stages.js'

const { NGHTTP2_CANCEL } = constants
const patient = { idleTimeout: 60_000, takeoverAfter: 60_000 }

function untilOffset(session: ClientHttp2Session, path: string, offset: number): Promise<number> {
  return until(
    () => offsetOverHttp2(session, path),
    (stored) => stored === offset,
  )
}

describe.each(transports)('$transport', ({ secure }) => {
  test('a request on another stream of its session takes over a stalled upload', async () => {
    const { session } = await serveUploads(patient, secure)
    const data = randomBytes(200_000)
    const path = await createOverHttp2({ session }, data.length)
    const first = openStream(session, patchHead(path, 0, { 'content-length': data.length }))
    const bystander = openStream(session, patchHead(await createOverHttp2({ session }, 10), 0))
    bystander.stream.write('hello')
    first.stream.write(data.subarray(0, 60_000))
    await untilOffset(session, path, 60_000)
    const next = await sendHttp2(session, patchHead(path, 60_000), data.subarray(60_000))
    expect(next).toMatchObject({ status: 204, headers: { 'upload-offset': '200000' } })
    await expect(first.reply).rejects.toThrow()
    expect(first.stream.rstCode).toBe(NGHTTP2_CANCEL)
    // Only the stream was cut.
    bystander.stream.end('world')
    expect((await bystander.reply).status).toBe(204)
    const got = openStream(session, { ':path': path })
    got.stream.end()
    expect((await got.reply).headers['content-length']).toBe('200000')
  })

  test.each<[string, (session: ClientHttp2Session) => void]>([
    ['a broken session', (session) => session.destroy()],
    ['a session that ends with an error', (session) => session.destroy(undefined, NGHTTP2_CANCEL)],
  ])('%s during a PATCH keeps what arrived', async (_, end) => {
    const logger = keptLog()
    const site = await serveUploads({ ...patient, logger }, secure)
    const path = await createOverHttp2(site, 100_000)
    const doomed = connectHttp2(site)
    const { stream } = openStream(doomed, patchHead(path, 0, { 'content-length': 100_000 }))
    stream.on('error', () => {})
    stream.write(Buffer.alloc(50_000))
    await untilOffset(site.session, path, 50_000)
    end(doomed)
    const rest = Buffer.alloc(50_000)
    expect((await sendHttp2(site.session, patchHead(path, 50_000), rest)).status).toBe(204)
    expect(logger.lines.filter(({ level }) => level !== 'info')).toEqual([])
  })

  test('a PATCH that has begun continues after the GOAWAY of its client', async () => {
    const site = await serveUploads(patient, secure)
    const path = await createOverHttp2(site, 10)
    const leaving = connectHttp2(site)
    const { stream, reply } = openStream(leaving, patchHead(path, 0))
    stream.write('hello')
    await untilOffset(site.session, path, 5)
    leaving.close()
    stream.end('world')
    expect(await reply).toMatchObject({ status: 204, headers: { 'upload-offset': '10' } })
  })
})

test('a reset keeps each byte that had arrived, even if the store was busy', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
  const site = await serveUploads({ ...patient, composer })
  const path = await createOverHttp2(site, 100_000)
  const arrived = once(site.server, 'stream')
  const { stream } = openStream(site.session, patchHead(path, 0, { 'content-length': 100_000 }))
  stream.write(Buffer.alloc(60_000))
  const [served] = (await arrived) as [ServerHttp2Stream]
  await slow.reached
  const closed = once(served, 'close')
  stream.close(NGHTTP2_CANCEL)
  await closed
  slow.open()
  await untilOffset(site.session, path, 60_000)
})
