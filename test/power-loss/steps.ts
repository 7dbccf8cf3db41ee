import { dirname } from 'node:path'
import type { Change, DiskEvent, Message } from './disk-events.js'

/**
 * Returns the events as lines of a table: `write uploads/a`, `response PATCH 204, offset 5`. It
 * omits requests, interim responses, syncs without changes since the last one, and a `HEAD` that
 * reports the same as the last one. Random names become `*`.
 *
 * Throws when a change begins before another has ended, since their order would be chance.
 */
export function stepsOf(events: readonly DiskEvent[]): string[] {
  const clean = new Set<string>()
  const reported = new Map<string, string>()
  const steps: string[] = []
  let last: DiskEvent | undefined
  for (const event of events) {
    if (event.kind === 'request') continue
    if (event.kind === 'response') {
      if (event.response.status < 200) continue
      const step = responseLine(event)
      if (event.request.method === 'HEAD' && reported.get(event.request.url) === step) continue
      reported.set(event.request.url, step)
      steps.push(step)
      continue
    }
    if (event.kind === 'sync' && clean.has(event.path)) continue
    if (last !== undefined && event.begins <= last.ends) {
      throw new Error(`${changeLine(event)} overlaps with the change before`)
    }
    last = event
    if (event.kind === 'sync') clean.add(event.path)
    else for (const path of touchedBy(event)) clean.delete(path)
    steps.push(changeLine(event))
  }
  return withoutAttempts(steps)
}

/** Returns the files and folders whose content a change affects. */
function touchedBy(change: Exclude<Change, { kind: 'sync' }>): string[] {
  const folderOf = (path: string) => dirname(path).replace(/^\.$/, '')
  switch (change.kind) {
    case 'write':
    case 'truncate':
    case 'clone':
      return [change.path]
    case 'rename':
      return [folderOf(change.from), folderOf(change.path)]
    default:
      return [change.path, folderOf(change.path)]
  }
}

function changeLine(change: Change): string {
  const path = withoutUuid(change.path) || '.'
  if (change.kind === 'rename') return `rename ${withoutUuid(change.from)} to ${path}`
  return `${change.kind === 'clone' ? 'write' : change.kind} ${path}`
}

function responseLine({ request, response }: Message & { kind: 'response' }): string {
  const { status, offset } = response
  return `response ${request.method} ${status}${offset === undefined ? '' : `, offset ${offset}`}`
}

function withoutUuid(path: string): string {
  return path.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '*')
}

/** Where a file system cannot clone, the attempt leaves a file that is removed at once. */
function withoutAttempts(steps: readonly string[]): string[] {
  const isAttempt = (i: number) =>
    steps[i]?.startsWith('create ') && steps[i + 1] === steps[i]!.replace('create', 'remove')
  return steps.filter((_, i) => !isAttempt(i) && !isAttempt(i - 1))
}
