// Tests that the store keeps its contract, with a real FTP server: ProFTPD, of the Debian package
// proftpd-core. Run: node --test examples/ftp-store
import { chmod, rename, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { TcpProxy } from 'tuskit/store-kit'
import { FtpServer } from './ftp-server.mjs'
import { FtpStore } from './ftp-store.mjs'

/** The store sees the server at this address, where a proxy listens on each of its ports. */
const host = '127.0.0.2'
let server
let proxies
let folders = 0

before(async () => {
  server = await FtpServer.start()
  const start = (port) => TcpProxy.start({ port, listenPort: port, listenHost: host })
  proxies = await Promise.all([server.port, ...server.passivePorts].map(start))
})

after(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await server.stop()
})

conformanceSuite({
  test,
  slots: [
    'dataStore',
    'verifiedAppender',
    'terminator',
    'concatenator',
    'contentReader',
    'lifecycles',
  ],
  async factory() {
    const folder = `uploads-${++folders}`
    const path = await server.createFolder(folder)
    const store = storeIn(folder)
    await store.initialize()
    return { composer: new StoreComposer().use(store), folder, path }
  },
  another: ({ folder }) => new StoreComposer().use(storeIn(folder)),
  cutAfter(bytes) {
    for (const proxy of proxies) void proxy.cutAfter(bytes, 'upstream').then(() => proxy.restore())
    return () => Promise.all(proxies.map((proxy) => proxy.restore()))
  },
  unplug: {
    down() {
      for (const proxy of proxies) proxy.cut()
      return () => Promise.all(proxies.map((proxy) => proxy.restore()))
    },
    async gone({ path }) {
      await rename(path, `${path}-away`)
      return () => rename(`${path}-away`, path)
    },
    async refused({ path }) {
      await chmod(path, 0)
      return () => chmod(path, 0o755)
    },
    paused() {
      server.suspend()
      return () => server.resume()
    },
  },
  // It refuses all places.
  places: { good: [], bad: [{ path: '../x' }] },
  openHandles: () => proxies.reduce((sum, { connections }) => sum + connections, 0),
  grow: ({ id }, size, { path }) => truncate(join(path, id), size),
})

function storeIn(folder) {
  const { port, user, password } = server
  return new FtpStore({ host, port, user, password, folder })
}
