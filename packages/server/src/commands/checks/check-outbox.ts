import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { CommandCall } from '../command.js'
import { counted } from '../terminal/quantities.js'
import { failedBy, ok, warning, type Finding } from './finding.js'
import { nearestThere } from './trial-settings.js'

/** Writes to the folder of the outbox. A running server does not see the file. */
export async function* checkOutbox({ settings }: CommandCall): AsyncGenerator<Finding> {
  const { hooksOutbox: folder } = settings
  if (folder === undefined) return
  const path = resolve(folder)
  try {
    await writeAndRemove(nearestThere(path))
  } catch (error) {
    yield failedBy('outbox', error)
    return
  }
  if (!existsSync(path)) {
    yield ok('outbox', `${folder} can be created`)
    return
  }
  const [waiting, givenUp] = [await entriesIn(path), await entriesIn(join(path, 'given-up'))]
  yield ok('outbox', `${folder} can be written; ${counted(waiting, 'event')} to deliver`)
  if (givenUp > 0) {
    const text = `${counted(givenUp, 'event')} could not be delivered and is in ${folder}/given-up`
    yield warning('outbox', text, 'Read the reasons there. To deliver them, move them back.')
  }
}

async function writeAndRemove(folder: string): Promise<void> {
  const path = join(folder, `.check-${randomUUID()}`)
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile('check')
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}

async function entriesIn(path: string): Promise<number> {
  const names = await readdir(path).catch(() => [])
  return names.filter((name) => name.endsWith('.json')).length
}
