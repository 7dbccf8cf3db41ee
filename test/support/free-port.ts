import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'

const given = new Set<number>()

/**
 * Returns a port that nothing listens on, for programs that cannot choose one themselves. It never
 * returns a port twice, and none of those that systems give to outgoing connections and to
 * `listen(0)`, because one of these could take the port before the program listens.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer()
  try {
    await once(server.listen(port), 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
