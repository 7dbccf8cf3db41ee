import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * Starts a proxy that breaks connections, and returns its port. It passes only the number of bytes
 * that `limits` has for each connection, in the order of the connections; later ones pass
 * completely. After that many bytes, and when `ready` resolves, the server sees the end of the
 * connection. Once the server has closed its side, so does the client.
 *
 * If `hangs` returns true for a cut, which are numbered from 0, the client sees the end instead,
 * and the server keeps a connection that is silent.
 */
export async function cuttingProxy(
  target: number,
  limits: readonly number[],
  ready: () => Promise<unknown> = async () => {},
  hangs: (cut: number) => boolean = () => false,
): Promise<number> {
  const sockets = new Set<Socket>()
  let connections = 0
  let cuts = 0
  const server = net.createServer((client) => {
    let left = limits[connections++] ?? Infinity
    let hanging = false
    const upstream = net.connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    upstream.on('close', () => client.destroySoon())
    client.on('close', () => hanging || upstream.destroy())
    upstream.on('data', (piece) => client.write(piece))
    client.on('data', (piece: Buffer) => {
      const passed = piece.subarray(0, left)
      left -= passed.length
      if (!upstream.write(passed)) {
        client.pause()
        upstream.once('drain', () => client.resume())
      }
      if (left === 0) void cut()
    })

    async function cut(): Promise<void> {
      client.removeAllListeners('data').pause()
      upstream.removeAllListeners('drain')
      hanging = hangs(cuts++)
      await ready()
      // The client does not receive the response to a body that is cut short.
      upstream.removeAllListeners('data').resume()
      if (hanging) client.resetAndDestroy()
      else upstream.end()
    }
  })
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
