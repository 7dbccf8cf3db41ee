import { TusError, type ErrorCode, type InfoStore } from 'tuskit'
import { expect, test } from 'vitest'
import { Owners } from '../../src/adoption/owners.js'

const { signal } = new AbortController()

/** Returns owners by records that cannot be read. */
function ownersWith(code: ErrorCode): Owners {
  const get = () => Promise.reject(new TusError(code))
  return new Owners({ get } as unknown as InfoStore, 'path')
}

test.each(['ERR_INFO_CORRUPT', 'ERR_INFO_FORMAT'] as const)(
  'a file has an owner although its record fails with %s',
  async (code) => {
    const owners = ownersWith(code)
    await expect(owners.check('a', 'b', signal)).rejects.toThrow('that of another upload, a')
    await owners.check('a', 'a', signal)
  },
)

test('a file does not look free while records cannot be reached', async () => {
  const owners = ownersWith('ERR_STORAGE_UNAVAILABLE')
  const failure = { code: 'ERR_STORAGE_UNAVAILABLE' }
  await expect(owners.check('a', 'b', signal)).rejects.toMatchObject(failure)
  const infoLister = {
    ids: async function* () {
      yield await Promise.resolve('a')
    },
  }
  await expect(owners.load(infoLister, signal)).rejects.toMatchObject(failure)
})
