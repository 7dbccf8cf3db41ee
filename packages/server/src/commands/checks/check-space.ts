import { statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import { storeOptions } from '../../parts/built-in.js'
import { parseFileUrl } from '../../parts/file-url.js'
import type { CommandCall } from '../command.js'
import { sizeText, timeText } from '../terminal/quantities.js'
import { failed, ok, warning, type Finding } from './finding.js'
import { nearestThere } from './trial-settings.js'

/** Explains the limits, and compares them with the space on the disk. */
export async function* checkSpace({ settings }: CommandCall): AsyncGenerator<Finding> {
  const { maxSize, maxAppendSize, limit, expireAfter, expireFinishedAfter } = settings
  const size = maxSize === undefined ? 'any size' : `up to ${sizeText(maxSize)}`
  const append =
    maxAppendSize === undefined ? '' : `, in requests of up to ${sizeText(maxAppendSize)}`
  const total = limit === undefined ? '' : `, together up to ${sizeText(limit)}`
  yield ok('limits', `uploads may have ${size}${append}${total}`)
  const expiry = (time: number | undefined) =>
    time === undefined ? 'never expire' : `expire after ${timeText(time)}`
  const text = `unfinished uploads ${expiry(expireAfter)}, finished ones ${expiry(expireFinishedAfter)}`
  yield expireAfter === undefined
    ? warning('expiry', text, 'With --expire-after 7d, abandoned uploads do not stay for ever.')
    : ok('expiry', text)

  if (!settings.data.startsWith('file:')) return
  const { directory } = parseFileUrl(settings.data, storeOptions)
  const { bavail, bsize, ffree, files } = await statfs(nearestThere(resolve(directory)))
  const free = bavail * bsize
  const has = `the disk of ${directory} has ${sizeText(free)} free`
  const [more] = [limit, maxSize].filter((one) => one !== undefined && one > free)
  if (free < 1_000_000) yield failed('space', has, 'Make space on the disk.')
  else if (files > 0 && ffree < 100) {
    yield failed('space', `${has}, but no files can be made`, 'Free inodes on the disk.')
  } else if (more !== undefined) {
    yield warning('space', `${has}, less than the ${sizeText(more)} allowed`, 'Lower the limits.')
  } else if (limit === undefined) yield ok('space', `${has}, and no --limit keeps some of it free`)
  else yield ok('space', has)
}
