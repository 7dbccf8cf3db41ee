import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { resetSocket } from '../../src/reset-socket.js'
import { until } from '../support/serve.js'

const openSockets = () =>
  process.getActiveResourcesInfo().filter((type) => type === 'TCPSocketWrap').length

/** Returns both ends of a connection. */
async function connection(): Promise<readonly [Socket, Socket]> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const connected = once(server, 'connection') as Promise<[Socket]>
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  return [client, (await connected)[0]]
}

test('the peer of a socket that is reset gets ECONNRESET', async () => {
  const [client, socket] = await connection()
  resetSocket(socket)
  const [error] = (await once(client, 'error')) as [Error]
  expect(error).toMatchObject({ code: 'ECONNRESET' })
})

test.each<readonly [string, (socket: Socket) => unknown]>([
  ['that is open', () => {}],
  ['that is sending its end', (socket) => socket.end()],
  ['that has sent its end', async (socket) => once(socket.end(), 'finish')],
  ['that is sending bytes and its end', (socket) => socket.end(Buffer.alloc(10_000_000))],
  ['that is closed', (socket) => socket.destroy()],
])('the descriptor of a socket %s is closed by a reset', async (_, prepare) => {
  const before = openSockets()
  const [client, socket] = await connection()
  client.on('error', () => {})
  await prepare(socket)
  resetSocket(socket)
  client.destroy()
  await until(
    async () => openSockets(),
    (count) => count <= before,
  )
  expect(socket.destroyed).toBe(true)
})
