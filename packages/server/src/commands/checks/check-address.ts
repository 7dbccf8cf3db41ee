import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import type { Settings } from '../../settings/settings.js'
import type { CommandCall } from '../command.js'
import { reasonOf } from '../../explain.js'
import { failed, ok, warning, type Finding } from './finding.js'
import { listenerOn } from './listener-on.js'
import { trySocketFolder } from './try-socket-folder.js'

/** Finds out whether the address to listen on is free, or which program uses it. */
export async function* checkAddress({ settings }: CommandCall): AsyncGenerator<Finding> {
  const { unixSocket } = settings
  yield await (unixSocket === undefined ? tryPort(settings) : trySocket(unixSocket, settings))
}

async function tryPort(settings: Settings): Promise<Finding> {
  const { host, port } = settings
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    return port === 0
      ? ok('address', `any free port of ${host}`)
      : ok('address', `${place} is free`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') return whoListens(place, settings)
    if (code === 'EACCES') {
      const advice = 'Choose a --port from 1024 on, or give the program CAP_NET_BIND_SERVICE.'
      return failed('address', `this user may not listen on ${place}`, advice)
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      return failed('address', `this machine does not have ${host}`, 'Choose another --host.')
    }
    return failed('address', `cannot listen on ${place}: ${reasonOf(error)}`)
  }
}

async function whoListens(place: string, settings: Settings): Promise<Finding> {
  const program = listenerOn(settings.port) ?? 'a program of another user'
  if (await speaksTus(settings)) {
    const text = `${place} is in use by ${program}, which serves tus uploads`
    return warning('address', text, 'That is right if it is this server.')
  }
  return failed('address', `${place} is in use by ${program}`, 'Stop it, or choose another --port.')
}

async function trySocket(path: string, settings: Settings): Promise<Finding> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return trySocketFolder(dirname(path), path)
  if (!found.isSocket()) {
    return failed('address', `${path} is a file that is not a socket`, 'Remove it first.')
  }
  const probe = connect(path)
  const isUsed = await once(probe, 'connect').then(
    () => true,
    () => false,
  )
  probe.destroy()
  if (!isUsed) return ok('address', `${path} is free; the socket of an earlier run is replaced`)
  if (!(await speaksTus(settings))) {
    const text = `another program listens on ${path}`
    return failed('address', text, 'Stop it, or choose another --unix-socket.')
  }
  const text = `${path} is in use by a program that serves tus uploads`
  return warning('address', text, 'That is right if it is this server.')
}

/** Returns whether the program there responds as a tus server at the base path. */
async function speaksTus(settings: Settings): Promise<boolean> {
  const { host, port, unixSocket, tlsCert, basePath } = settings
  const client = tlsCert === undefined || unixSocket !== undefined ? http : https
  const everywhere = host === '0.0.0.0' || host === '::'
  const request = client.request({
    ...(unixSocket === undefined
      ? { host: everywhere ? 'localhost' : host, port }
      : { socketPath: unixSocket }),
    method: 'OPTIONS',
    path: `/${basePath}/`.replace(/\/{2,}/g, '/'),
    timeout: 3_000,
    // Only the form of the response counts.
    rejectUnauthorized: false,
  })
  request.on('timeout', () => request.destroy(new Error('timeout'))).end()
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    return response.headers['tus-version'] !== undefined
  } catch {
    return false
  } finally {
    request.destroy()
  }
}
