import cluster from 'node:cluster'
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type AddressInfo, type ListenOptions, type Server } from 'node:net'
import { SettingError } from '../settings/setting-error.js'
import type { Settings } from '../settings/settings.js'
import { activatedSocket } from './socket-activation.js'

/** Listens where the settings say, or on the socket that systemd has opened. Returns the place. */
export async function listenForUploads(server: Server, settings: Settings): Promise<string> {
  const owner = cluster.isWorker ? process.ppid : process.pid
  const descriptor = activatedSocket(process.env, owner)
  const { unixSocket, unixSocketMode } = settings
  if (descriptor !== undefined) {
    await listenOn(server, { fd: descriptor }, 'the socket that systemd has opened')
    return 'the socket that systemd has opened'
  }
  if (unixSocket !== undefined) return listenOnSocket(server, unixSocket, unixSocketMode)
  return listenOnPort(server, settings)
}

/** Listens on a port, and returns the place as a person would write it. */
export async function listenOnPort(
  server: Server,
  { host, port }: Pick<Settings, 'host' | 'port'>,
): Promise<string> {
  await listenOn(server, { host, port }, `${host}:${port}`)
  const { port: actual } = server.address() as AddressInfo
  return `${host.includes(':') ? `[${host}]` : host}:${actual}`
}

async function listenOnSocket(server: Server, path: string, mode: number): Promise<string> {
  await removeStaleSocket(path)
  // From its first moment, the socket has no more rights than the mode gives.
  const usual = process.umask(0o777 & ~mode)
  await listenOn(server, { path }, path).finally(() => process.umask(usual))
  chmodSync(path, mode)
  return `unix:${path}`
}

async function listenOn(
  server: Server,
  options: ListenOptions | { fd: number },
  place: string,
): Promise<void> {
  server.listen(options)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program listens there. Choose another --port.',
      EACCES: 'this user may not listen there.',
      EADDRNOTAVAIL: 'this machine does not have the address. Choose another --host.',
    }
    const reason = reasons[code ?? ''] ?? message
    throw new SettingError(`Cannot listen on ${place}: ${reason}`, { cause: error })
  }
}

/** Removes a socket that a killed process left. Leaves one that a process listens on. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new SettingError(`--unix-socket ${path} is a file that is not a socket. Remove it first.`)
  }
  const probe = connect(path)
  const isUsed = await once(probe, 'connect').then(
    () => true,
    () => false,
  )
  probe.destroy()
  if (isUsed) throw new SettingError(`Cannot listen on ${path}: another program listens there.`)
  rmSync(path)
}
