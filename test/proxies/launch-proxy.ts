import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../docs/pages.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { ServiceProcess } from '../services/service-process.js'
import type { createCertificate } from '../support/certificate.js'
import { freePort } from '../support/free-port.js'
import { apache } from './apache.js'
import { caddy } from './caddy.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'
import type { Proxy } from './proxy.js'

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

/** Starts a proxy with the changed file of examples/proxies, until `stop` is called. */
export async function launchProxy(
  proxy: Proxy,
  certificate: ReturnType<typeof createCertificate>,
  edit: (configuration: string) => string,
): Promise<RunningProxy & { stop(): Promise<void> }> {
  ensureProxy(proxy)
  const home = await mkdtemp(join(tmpdir(), 'tuskit-proxy-'))
  let service: ServiceProcess | undefined
  const stop = async () => {
    await service?.kill()
    await rm(home, { recursive: true, force: true })
  }
  try {
    const [httpPort, httpsPort] = [await freePort(), await freePort()]
    const [cert, key, certAndKey] = ['cert.pem', 'key.pem', 'both.pem'].map((n) => join(home, n))
    await writeFile(cert!, certificate.cert)
    await writeFile(key!, certificate.key)
    await writeFile(certAndKey!, certificate.cert + certificate.key)
    const configuration = await readFile(join(root, 'examples/proxies', proxy.file), 'utf8')
    const options = await proxy.setUp({
      ...{ home, httpPort, httpsPort, cert: cert!, key: key!, certAndKey: certAndKey! },
      configuration: edit(configuration),
    })
    if (process.getuid?.() === 0) execFileSync('chown', ['-R', user, home])
    service = await ServiceProcess.start({ ...options, user })
    for (const port of [httpPort, httpsPort]) await untilAccepted(service, port)
    if (!service.isRunning) throw new Error(`${proxy.name} ended:\n${service.output}`)
    return {
      http: `http://localhost:${httpPort}`,
      https: `https://localhost:${httpsPort}`,
      ca: certificate.cert,
      caFile: cert!,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Resolves when something listens, or the service has ended. */
async function untilAccepted(service: ServiceProcess, port: number): Promise<void> {
  while (service.isRunning && !(await accepts(port))) await sleep(5)
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  socket.destroy()
  return accepted
}
