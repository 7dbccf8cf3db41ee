import type { Workload } from '../workload.js'
import { checksumWorkload, sentChecksums } from './checksums.js'
import { concat } from './concat.js'
import { get } from './get.js'
import { growth } from './growth.js'
import { head } from './head.js'
import { resume } from './resume.js'
import { slow } from './slow.js'
import { smallPatch, smallPost } from './small-files.js'
import { chunks, onePatch, parallel } from './transfers.js'

/** The workloads of every server, in the order in which they run. */
export const workloads: readonly Workload[] = [
  ...[onePatch, chunks, parallel, smallPost, smallPatch, head, slow],
  ...(['sha1', 'sha256', 'crc32'] as const).map(checksumWorkload),
  ...[growth, concat, get, resume],
]

/** The workloads of tuskit with each of its options. */
export const optionWorkloads: readonly Workload[] = [chunks, smallPost, head]

/** The workloads of tuskit with each checksum, and without any. */
export const checksumOptions: Workload = sentChecksums
