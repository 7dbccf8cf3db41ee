import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { expect, test } from 'vitest'
import { head, patch, tus } from '../support/serve.js'
import {
  abusedServer,
  responsesIn,
  chunkLines,
  expectBack,
  newUpload,
  openSocket,
  requestText,
  write,
  type Usage,
} from './abused-server.js'

const server = abusedServer()

/**
 * The memory that the process may keep between rounds: heap that V8 does not return at once,
 * compiled code, and arenas of the allocator. A leak of one upload's buffers per request would be
 * many times larger.
 */
const slack = 64_000_000

/**
 * Creates uploads for as many slow bodies as there are descriptors. Each uses a connection and a
 * file.
 */
function slowUploads({ limit }: Usage): Promise<string[]> {
  const count = Math.min(1_000, Math.floor((limit - 100) / 3))
  expect(count, `of ${limit} descriptors`).toBeGreaterThanOrEqual(100)
  return Promise.all(Array.from({ length: count }, () => newUpload(server, 1_000)))
}

/** Sends many bodies byte by byte, all at once. */
async function slowBodies(paths: readonly string[], offset: number): Promise<void> {
  const lines = [...chunkLines.slice(0, -1), `Upload-Offset: ${offset}`, 'Content-Length: 5']
  const clients = await Promise.all(
    paths.map(async (path) => {
      const socket = await openSocket(server)
      const reply = once(socket, 'data')
      await write(socket, requestText('PATCH', path, lines))
      return { socket, reply }
    }),
  )
  const other = await newUpload(server, 1_000)
  for (const byte of 'hell') {
    await Promise.all(clients.map(({ socket }) => write(socket, byte)))
    // The server does other work between the bytes.
    expect((await head(`${server.origin}${other}`)).status).toBe(200)
  }
  await Promise.all(clients.map(({ socket }) => write(socket, 'o')))
  for (const { reply, socket } of clients) {
    const [response] = responsesIn(String((await reply)[0]))
    expect(response!.status).toBe(204)
    socket.destroy()
  }
}

/** Sends thousands of HEAD requests for one upload while it grows. */
async function manyHeads(): Promise<void> {
  const path = await newUpload(server, 100)
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  const ask = async () => {
    const sent = request(`${server.origin}${path}`, { method: 'HEAD', headers: tus, agent })
    sent.end()
    const [response] = await once(sent, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode as number
  }
  for (let round = 0; round < 10; round++) {
    const sent = Array.from({ length: 200 }, ask)
    expect((await patch(`${server.origin}${path}`, round, 'x')).status).toBe(204)
    expect(new Set(await Promise.all(sent))).toEqual(new Set([200]))
  }
  agent.destroy()
}

/** Opens many connections that vanish in the middle of a large body. */
async function vanishing(): Promise<void> {
  for (let round = 0; round < 40; round++) {
    const path = await newUpload(server, 10_000_000)
    const socket = await openSocket(server)
    await write(socket, requestText('PATCH', path, [...chunkLines, 'Content-Length: 10000000']))
    await write(socket, Buffer.alloc(500_000))
    if (round % 2 === 0) socket.resetAndDestroy()
    else socket.end()
  }
}

test('after rounds of abuse the server uses no more than before', async () => {
  const atStart = await server.measure()
  const slow = await slowUploads(atStart)
  const round = async (number: number) => {
    await slowBodies(slow, number * 5)
    await manyHeads()
    await vanishing()
  }
  // The first round allocates everything that is allocated once.
  await round(0)
  await expectBack(server, atStart)
  const before = await server.measure()
  const after: number[] = []
  for (const number of [1, 2, 3, 4]) {
    await round(number)
    await expectBack(server, before)
    after.push((await server.measure()).rss)
  }
  // A leak grows with every round, while V8 keeps some memory only for a while.
  expect(Math.min(...after.slice(1)) - before.rss).toBeLessThan(slack)
})
