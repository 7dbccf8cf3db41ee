import { setTimeout } from 'node:timers/promises'
import type { Handler, StoreSlots } from 'tuskit'
import { duration } from '../settings/value-types.js'
import { CommandError } from './command-error.js'
import type { CommandDefinition } from './command.js'
import { countFailures } from './count-failures.js'
import { flagValue } from './flag-value.js'
import { changeUploads } from './stored/open-uploads.js'
import { print } from './terminal/output.js'
import { startProgress, type Progress } from './terminal/progress.js'
import { counted } from './terminal/quantities.js'

/** Removes expired uploads and finishes pending ones. */
export const sweep: CommandDefinition = {
  name: 'sweep',
  description: 'Remove expired uploads, and finish those that a crash left unfinished.',
  flags: [['--every <time>', 'Repeat until stopped, such as every 1h.']],
  groups: ['storage', 'uploads', 'hooks'],
  async run(call) {
    const every = flagValue(call, 'every', duration)
    const logger = countFailures(call.logger)
    let progress: Progress | undefined
    const watch = (slots: Readonly<StoreSlots>) => watched(slots, () => progress)
    await changeUploads(
      { ...call, logger },
      async ({ handler }) => {
        do {
          const before = logger.failures
          progress = startProgress('Visiting uploads:')
          const counts = await sweepOnce(handler, call.signal).finally(() => progress!.stop())
          await print(report(counts, logger.failures - before))
        } while (every !== undefined && (await isNext(every, call.signal)))
      },
      watch,
    ).catch((error: unknown) => {
      if (!call.signal.aborted) throw error
      if (every === undefined) {
        throw new CommandError('Stopped before the end. Run it again to continue.', {
          cause: error,
        })
      }
    })
    if (every === undefined && logger.failures > 0) process.exitCode = 1
  },
}

interface Counts {
  readonly finished: number
  readonly removed: number
}

async function sweepOnce({ uploads }: Handler, signal: AbortSignal): Promise<Counts> {
  const finished = await uploads.finishPending({ signal })
  return { finished, removed: await uploads.removeExpired({ signal }) }
}

function report({ finished, removed }: Counts, failures: number): string {
  const failed = failures === 0 ? '' : ` ${counted(failures, 'failure')}: see the log.`
  return `Finished ${counted(finished, 'upload')}, removed ${counted(removed, 'upload')}.${failed}`
}

/** Waits. Returns whether there is a next time. */
async function isNext(every: number, signal: AbortSignal): Promise<boolean> {
  return setTimeout(every, true, { signal }).catch(() => false)
}

/** Returns the slots that find uploads, so that the progress counts those that they find. */
function watched(
  { infoLister, expiryIndex }: Readonly<StoreSlots>,
  progress: () => Progress | undefined,
): StoreSlots {
  const through = (ids: AsyncIterable<string>) => progress()?.through(ids) ?? ids
  return {
    ...(infoLister && { infoLister: { ids: (options) => through(infoLister.ids(options)) } }),
    ...(expiryIndex && {
      expiryIndex: { expired: (now, options) => through(expiryIndex.expired(now, options)) },
    }),
  }
}
