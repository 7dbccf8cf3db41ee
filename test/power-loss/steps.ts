import { dirname } from 'node:path'
import type { Change, DiskEvent, Message } from './disk-events.js'

/**
 * The events as lines of a table: `write uploads/a`, `answer PATCH 204, offset 5`. Left out are requests,
 * interim answers, syncs of what has not changed since the last one, and a HEAD that tells the same as the last one.
 * Names that are random are `*`.
 *
 * Throws when one change begins before another has ended: then their order would be chance.
 */
export function stepsOf(events: readonly DiskEvent[]): string[] {
  const clean = new Set<string>()
  const told = new Map<string, string>()
  const steps: string[] = []
  let last: DiskEvent | undefined
  for (const event of events) {
    if (event.kind === 'request') continue
    if (event.kind === 'answer') {
      if (event.answer.status < 200) continue
      const step = answerLine(event)
      if (event.request.method === 'HEAD' && told.get(event.request.url) === step) continue
      told.set(event.request.url, step)
      steps.push(step)
      continue
    }
    if (event.kind === 'sync' && clean.has(event.path)) continue
    if (last !== undefined && event.begins <= last.ends) {
      throw new Error(`${changeLine(event)} overlaps with what was done before`)
    }
    last = event
    if (event.kind === 'sync') clean.add(event.path)
    else for (const path of touchedBy(event)) clean.delete(path)
    steps.push(changeLine(event))
  }
  return withoutAttempts(steps)
}

/** The files and folders whose content a change changes. */
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

function answerLine({ request, answer }: Message & { kind: 'answer' }): string {
  const { status, offset } = answer
  return `answer ${request.method} ${status}${offset === undefined ? '' : `, offset ${offset}`}`
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
