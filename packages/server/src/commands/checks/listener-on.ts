import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * Returns the program that listens on a port, such as `node server.js (process 12)`. Returns
 * `undefined` where that cannot be known: for programs of other users, and on other systems than
 * Linux.
 */
export function listenerOn(port: number): string | undefined {
  const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => inodes(path, port)))
  if (sockets.size === 0) return undefined
  for (const id of names('/proc').filter((name) => /^\d+$/.test(name))) {
    const owns = names(`/proc/${id}/fd`).some((descriptor) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(link(`/proc/${id}/fd/${descriptor}`)) ?? []
      return inode !== undefined && sockets.has(inode)
    })
    if (owns) return `${commandOf(id)} (process ${id})`
  }
  return undefined
}

/** Returns the inodes of the sockets that listen on a port. */
function inodes(path: string, port: number): readonly string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return read(path)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A')
    .map((columns) => columns[9]!)
}

function commandOf(id: string): string {
  const words = read(`/proc/${id}/cmdline`).split('\0').filter(Boolean)
  return words.join(' ').slice(0, 80) || read(`/proc/${id}/comm`).trim()
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function names(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
