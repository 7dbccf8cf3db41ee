import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import type { OutboxEntry } from 'tuskit'
import { FileOutbox } from 'tuskit/file-store'
import { temporaryDirectory } from '../support/serve.js'
import { noAbort } from '../support/stages.js'

const run = promisify(execFile)

/** An entry of a certain size. */
function entry(id: string, size: number): OutboxEntry {
  const metadata = { raw: '', values: { name: 'x'.repeat(size) } }
  return {
    event: { type: 'post-finish', id: `${id}/post-finish` },
    upload: {
      id,
      revision: 2,
      protocol: 'tus',
      metadata,
      storage: { kind: 'file', at: { path: id } },
      createdAt: '2026-01-02T03:04:05.000Z',
      finish: 'recorded',
      state: { kind: 'finished', at: '2026-01-02T03:04:05.000Z' },
    },
    offset: 5,
    happened: false,
    storedAt: '2026-01-02T03:04:05.000Z',
  }
}

test('an entry that a full disk cannot hold is refused, and the earlier one stays', async () => {
  const directory = await temporaryDirectory()
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
  onTestFinished(async () => void (await run('umount', ['-l', directory])))
  const outbox = new FileOutbox({ directory })
  const small = entry('a', 10)
  await outbox.put(small, noAbort)
  for (let attempt = 1; attempt <= 3; attempt++) {
    const putting = outbox.put(entry('a', 100_000), noAbort)
    await expect(putting).rejects.toMatchObject({ code: 'ERR_STORAGE_FULL' })
  }
  expect((await readdir(directory)).sort()).toEqual(['.tuskit', 'a.post-finish.json'])
  expect(await outbox.get('a')).toEqual([small])
  await outbox.delete(small)
  expect(await outbox.get('a')).toEqual([])
})
