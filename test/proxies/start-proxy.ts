import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { root } from '../docs/pages.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { ServiceProcess } from '../services/service-process.js'
import { freePort } from '../support/free-port.js'
import { certificate } from '../support/serve-http2.js'
import { until } from '../support/serve.js'
import { apache } from './apache.js'
import { caddy } from './caddy.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'
import { replaceAll, type Proxy } from './proxy.js'

/** The proxies of examples/proxies. */
export const proxies: readonly Proxy[] = [nginx, apache, haproxy, caddy]

const user = 'nobody'

/** A proxy that runs. */
export interface RunningProxy {
  readonly http: string
  readonly https: string
  /** The certificate to trust, and the file that contains it. */
  readonly ca: string
  readonly caFile: string
}

/** Installs a proxy if it is missing. */
export function ensureProxy(proxy: Proxy): void {
  // Debian has some of them outside of the PATH of users.
  if (!process.env.PATH!.includes('/usr/sbin')) process.env.PATH += ':/usr/sbin'
  ensureProgram(proxy.program, proxy.package)
}

/**
 * Starts a proxy of Debian with the file of examples/proxies in front of a server, without
 * privileges. The end of the test stops it.
 *
 * @param server - Where the server listens: a port, or the path of a Unix domain socket.
 * @param edit - Changes the file.
 */
export async function startProxy(
  proxy: Proxy,
  server: number | string,
  edit: (configuration: string) => string = (configuration) => configuration,
): Promise<RunningProxy> {
  ensureProxy(proxy)
  const home = await mkdtemp(join(tmpdir(), 'tuskit-proxy-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const [httpPort, httpsPort] = [await freePort(), await freePort()]
  const [cert, key, certAndKey] = ['cert.pem', 'key.pem', 'both.pem'].map((n) => join(home, n))
  await writeFile(cert!, certificate.cert)
  await writeFile(key!, certificate.key)
  await writeFile(certAndKey!, certificate.cert + certificate.key)
  const file = await readFile(join(root, 'examples/proxies', proxy.file), 'utf8')
  const options = await proxy.setUp({
    ...{ home, httpPort, httpsPort, cert: cert!, key: key!, certAndKey: certAndKey! },
    configuration: replaceAll(edit(file), [
      typeof server === 'number'
        ? ['127.0.0.1:1080', `127.0.0.1:${server}`]
        : ['/run/tuskit/tuskit.sock', server],
    ]),
  })
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', user, home])
  const service = await ServiceProcess.start({ ...options, user })
  onTestFinished(() => service.kill())
  for (const port of [httpPort, httpsPort]) {
    await until(
      async () => !service.isRunning || (await accepts(port)),
      (done) => done,
    )
  }
  if (!service.isRunning) throw new Error(`${proxy.name} ended:\n${service.output}`)
  return {
    http: `http://localhost:${httpPort}`,
    https: `https://localhost:${httpsPort}`,
    ca: certificate.cert,
    caFile: cert!,
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  socket.destroy()
  return accepted
}
