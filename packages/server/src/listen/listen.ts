import cluster from 'node:cluster'
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type AddressInfo, type ListenOptions, type Server } from 'node:net'
import { SettingError } from '../settings/setting-error.js'
import type { Settings } from '../settings/settings.js'
import { activatedSocket } from './socket-activation.js'

/** Systems cut longer paths of sockets, without an error. */
const longestPath = 103

/** Listens where the settings say, or on the socket that systemd has opened. Returns the place. */
export async function listenForUploads(server: Server, settings: Settings): Promise<string> {
  const owner = cluster.isWorker ? process.ppid : process.pid
  const descriptor = activatedSocket(process.env, owner)
  const { unixSocket, unixSocketMode } = settings
  if (descriptor !== undefined) {
    if (unixSocket !== undefined) {
      throw new SettingError(
        `systemd has opened a socket for this service. Remove that unit, or --unix-socket ${unixSocket}.`,
      )
    }
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
  setting?: string,
): Promise<string> {
  await listenOn(server, { host, port }, `${host}:${port}`, setting)
  const { port: actual } = server.address() as AddressInfo
  return `${host.includes(':') ? `[${host}]` : host}:${actual}`
}

async function listenOnSocket(server: Server, path: string, mode: number): Promise<string> {
  if (Buffer.byteLength(path) > longestPath) {
    throw new SettingError(`--unix-socket may have at most ${longestPath} bytes, not '${path}'.`)
  }
  if (!cluster.isWorker) await removeStaleSocket(path)
  // From its first moment, the socket has no more rights than the mode gives.
  const usual = process.umask(0o777 & ~mode)
  await listenOn(server, { path }, path, '--unix-socket').finally(() => process.umask(usual))
  chmodSync(path, mode)
  return `unix:${path}`
}

async function listenOn(
  server: Server,
  options: ListenOptions | { fd: number },
  place: string,
  setting = '--port',
): Promise<void> {
  server.listen(options)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isPath = 'path' in options
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: `another program listens there. Choose another ${setting}.`,
      EACCES: isPath
        ? 'the folder is missing, or this user may not create files in it.'
        : 'this user may not listen there.',
      EADDRNOTAVAIL: 'this machine does not have the address. Choose another one.',
    }
    const reason = reasons[code ?? ''] ?? message
    throw new SettingError(`Cannot listen on ${place}: ${reason}`, { cause: error })
  }
}

/** Removes a socket that a killed process left. Leaves one that a process listens on. */
export async function removeStaleSocket(path: string): Promise<void> {
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
