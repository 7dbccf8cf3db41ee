// @ts-check
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The folder of Debian's unstable suite, which `npm run test:newer` makes. */
export const newerDebian = join(tmpdir(), 'tuskit-debian-unstable')

/** Names the service whose programs tests take from that folder, such as `ceph`. */
export const newerVariable = 'TUSKIT_TEST_NEWER'

/**
 * Whether tests take the programs of a service from that folder, instead of from the system.
 *
 * @param {string} service
 */
export const isNewer = (service) => process.env[newerVariable] === service
