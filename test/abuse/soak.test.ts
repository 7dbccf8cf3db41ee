import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { expect, test } from 'vitest'
import { head, patch, tus } from '../support/serve.js'
import {
  abusedServer,
  answersIn,
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
 * What the process may keep between rounds: heap that V8 does not give back at once, code that it has compiled, arenas
 * of the allocator. A leak of one upload's buffers a request would be many times that.
 */
const slack = 64_000_000

/** Uploads for as many slow bodies as there are descriptors for: each has a connection and a file. */
function slowUploads({ limit }: Usage): Promise<string[]> {
  const count = Math.min(1_000, Math.floor((limit - 100) / 3))
  expect(count, `of ${limit} descriptors`).toBeGreaterThanOrEqual(100)
  return Promise.all(Array.from({ length: count }, () => newUpload(server, 1_000)))
}

/** Many bodies that come byte by byte, all at once. */
async function slowBodies(paths: readonly string[], offset: number): Promise<void> {
  const lines = [...chunkLines.slice(0, -1), `Upload-Offset: ${offset}`, 'Content-Length: 5']
  const clients = await Promise.all(
    paths.map(async (path) => {
      const socket = await openSocket(server)
      const answered = once(socket, 'data')
      await write(socket, requestText('PATCH', path, lines))
      return { socket, answered }
    }),
  )
  const other = await newUpload(server, 1_000)
  for (const byte of 'hell') {
    await Promise.all(clients.map(({ socket }) => write(socket, byte)))
    // Between the bytes the server does its other work.
    expect((await head(`${server.origin}${other}`)).status).toBe(200)
  }
  await Promise.all(clients.map(({ socket }) => write(socket, 'o')))
  for (const { answered, socket } of clients) {
    const [answer] = answersIn(String((await answered)[0]))
    expect(answer!.status).toBe(204)
    socket.destroy()
  }
}

/** Thousands of questions about one upload, while it grows. */
async function manyHeads(): Promise<void> {
  const path = await newUpload(server, 100)
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  const ask = async () => {
    const asked = request(`${server.origin}${path}`, { method: 'HEAD', headers: tus, agent })
    asked.end()
    const [response] = await once(asked, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode as number
  }
  for (let round = 0; round < 10; round++) {
    const asked = Array.from({ length: 200 }, ask)
    expect((await patch(`${server.origin}${path}`, round, 'x')).status).toBe(204)
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]))
  }
  agent.destroy()
}

/** Clients of which each one vanishes in the middle of a large body. */
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

test(
  'after rounds of abuse the server uses what it used before',
  { timeout: 180_000 },
  async () => {
    const atStart = await server.measure()
    const slow = await slowUploads(atStart)
    const round = async (number: number) => {
      await slowBodies(slow, number * 5)
      await manyHeads()
      await vanishing()
    }
    // The first round makes what is made once.
    await round(0)
    await expectBack(server, atStart)
    const before = await server.measure()
    const after: number[] = []
    for (const number of [1, 2, 3, 4]) {
      await round(number)
      await expectBack(server, before)
      after.push((await server.measure()).rss)
    }
    // A leak adds to every round; what V8 keeps for a while comes and goes.
    expect(Math.min(...after.slice(1)) - before.rss).toBeLessThan(slack)
  },
)
