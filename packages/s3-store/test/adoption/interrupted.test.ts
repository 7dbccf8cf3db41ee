import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { plugin } from '@tuskit/s3-store/plugin'
import { CephGateway } from '../../services.js'
import { adopt, env } from './adopt.js'
import { recordedUpload, restore } from './restore.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
  Object.assign(process.env, env)
})
afterAll(() => ceph.stop())

const { signal } = new AbortController()

/** Starts a proxy that calls back with the number of each request that was responded to. */
async function startProxy(onResponse: (request: number) => void): Promise<string> {
  let count = 0
  const server = createServer((incoming, response) => {
    const { method, url, headers } = incoming
    const port = { host: '127.0.0.1', port: ceph.port }
    const forwarded = request({ ...port, method, path: url, headers }, (found) => {
      onResponse(++count)
      response.writeHead(found.statusCode!, found.headers)
      found.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    incoming.pipe(forwarded)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** How many runs are killed at the same time. */
const atOnce = 3

test('a run that is killed after any of its requests can be repeated', async () => {
  const bucket = await ceph.createBucket()
  const client = ceph.client()
  const names = ['s3-tail-only', 's3-empty', 's3-expiring-finished']
  /** Returns whether the run was killed. */
  const runAndKill = async (last: number): Promise<boolean> => {
    const prefix = `${last}/`
    const uploads = await Promise.all(
      names.map((name) => restore(client, bucket, recordedUpload(name), prefix)),
    )
    const urlAt = (endpoint: string) =>
      `s3://${bucket}/${prefix}?endpoint=${endpoint}&region=us-east-1`
    let kill = () => {}
    const proxy = await startProxy((count) => count === last && kill())
    const killed = await adopt('tus-node', [urlAt(proxy)], {
      onStart: (child) => (kill = () => void child.kill('SIGKILL')),
    })
    const url = urlAt(ceph.endpoint)
    const repeated = await adopt('tus-node', [url])
    expect([last, repeated.errors.includes('not adopted'), repeated.code]).toEqual([last, false, 0])
    const data = plugin.data.s3(url, { locate: ({ id }) => id })
    const info = plugin.info.s3(url)
    for (const { id, offset } of uploads) {
      const record = await info.get(id, { signal })
      expect([last, id, await data.stat(record!, { signal })]).toMatchObject([last, id, { offset }])
    }
    return killed.code === null
  }
  let next = 1
  const work = async () => {
    while (await runAndKill(next++));
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  expect(next).toBeGreaterThan(30)
})
