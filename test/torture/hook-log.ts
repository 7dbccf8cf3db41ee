import { readFile } from 'node:fs/promises'
import type { Referee } from './referee.js'

/** A line that `test/programs/torture-server.mjs` prints. */
interface Line {
  readonly process: string
  readonly at: number
  /** Milliseconds for which the process did not run. Lines of hooks do not have it. */
  readonly stood?: number
  readonly hook: 'pre-finish' | 'post-finish'
  readonly event: string
  readonly id: string
  /** The name of the file. */
  readonly file: string
  readonly error?: string
  readonly hash: string
}

/** Judges when the finish hooks ran. */
export async function judgeHooks(path: string, referee: Referee): Promise<void> {
  const lines = (await readFile(path, 'utf8').catch(() => ''))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
    // Sorted by their start: a process may be suspended before it writes its line.
    .sort((a, b) => a.at - b.at)
  const calls = new Map<string, Line[]>()
  for (const line of lines) {
    const { stood, at, id } = line
    if (stood === undefined) {
      calls.set(id, [...(calls.get(id) ?? []), line])
    } else {
      referee.count('stalled')
      referee.stalled(at - stood, at)
    }
  }
  for (const ofOne of calls.values()) judgeCalls(ofOne, referee)
  if (!referee.plan.hooks) return
  for (const { id, name, partial, finishedAt } of referee.accounts) {
    if (partial || finishedAt === undefined) continue
    judgeFinish(calls.get(id) ?? [], `${name} ${id}`, finishedAt, referee)
  }
}

/** Judges all calls of the hooks of one upload, in order. */
function judgeCalls(calls: readonly Line[], referee: Referee): void {
  let before: Line | undefined
  let finished = false
  for (const call of calls) {
    const { hook, event, id, file, error, hash, at } = call
    referee.count(hook)
    const blame = (text: string) => referee.blame(`${hook} of ${file} ${id} at ${at}: ${text}`)
    if (event !== `${id}/${hook}`) blame(`the event is ${event}`)
    const disturbed = before !== undefined && referee.disturbed(undefined, before.at, at)
    if (hook === 'pre-finish') {
      if (before !== undefined && !disturbed) blame('a second time without a fault')
      if (before !== undefined) referee.count('pre-finish again')
      before = call
    } else {
      if (finished) blame('a second time')
      if (before === undefined) blame('without pre-finish')
      finished = true
    }
    // In post-finish the upload may have been removed already, and a storage that fails (EIO)
    // proves nothing about the file.
    const isMissed = error !== undefined && error !== 'EIO' && hook === 'pre-finish'
    if (isMissed) blame(`the file cannot be read: ${error}`)
    else if (error === undefined && hash !== referee.files.get(file)) blame('the file differs')
  }
}

/** Judges whether the hooks ran for an upload that a client knows to be finished. */
function judgeFinish(
  calls: readonly Line[],
  name: string,
  finishedAt: number,
  referee: Referee,
): void {
  const decisions = calls.filter(({ hook }) => hook === 'pre-finish')
  const first = decisions[0]
  if (first === undefined || first.at > finishedAt) {
    return referee.blame(`${name} was reported finished before pre-finish`)
  }
  // A kill between the record and the hook leaves a gap. So does a storage that fails after writing
  // the record.
  const spared =
    decisions.some(({ process }) => referee.wasKilled(process)) ||
    referee.disturbed('storage', first.at, finishedAt)
  if (!spared && !calls.some(({ hook }) => hook === 'post-finish')) {
    referee.blame(`${name} is finished without post-finish`)
  }
}
