import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { program, runProgram, startProgram } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { madeUploads, slowUpload } from './uploads.js'

const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href

async function idsIn(cwd: string): Promise<readonly string[]> {
  const names = await readdir(join(cwd, 'data'))
  return names.filter((name) => !name.includes('.')).toSorted()
}

test('expired uploads are removed, and others stay', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads(
    { cwd },
    [
      { length: 5, sent: 0 },
      { length: 5, sent: 0 },
    ],
    ['--expire-after', '1ms'],
  )
  const kept = await madeUploads(
    { cwd },
    [{ length: 5 }, { length: 5, sent: 2 }],
    ['--expire-after', '1d'],
  )
  const { code, output } = await runProgram(['sweep', '--expire-after', '1d'], { cwd })
  expect(code).toBe(0)
  expect(output).toBe('Finished 0 uploads, removed 2 uploads.\n')
  expect(await idsIn(cwd)).toEqual(kept.toSorted())
})

test('uploads that could not be finished are finished', async () => {
  const cwd = await temporaryDirectory()
  // A hook that fails leaves an upload complete, but not finished.
  const flags = ['--hooks-events', 'pre-finish', '--hooks-program']
  const running = await startProgram([...flags, '/bin/false'], { cwd })
  const response = await fetch(running.url, {
    method: 'POST',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-length': '3',
      'content-type': 'application/offset+octet-stream',
    },
    body: 'abc',
  })
  expect(response.status).toBeGreaterThanOrEqual(500)
  await running.stop()

  const failing = await runProgram(['sweep', ...flags, '/bin/false'], { cwd })
  expect(failing.code).toBe(1)
  expect(failing.output).toBe('Finished 0 uploads, removed 0 uploads. 1 failure: see the log.\n')
  const { code, output } = await runProgram(['sweep', ...flags, '/bin/true'], { cwd })
  expect(code).toBe(0)
  expect(output).toBe('Finished 1 upload, removed 0 uploads.\n')
})

test('an upload that a server is receiving is left alone', async () => {
  const cwd = await temporaryDirectory()
  const running = await startProgram(['--expire-after', '1d'], { cwd })
  const { id } = await slowUpload(running)
  const { code, output } = await runProgram(['sweep', '--expire-after', '1d'], { cwd })
  expect(code).toBe(0)
  expect(output).toBe('Finished 0 uploads, removed 0 uploads.\n')
  expect(await idsIn(cwd)).toEqual([id])
})

test('with --every, it repeats until it is stopped', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 5, sent: 0 }], ['--expire-after', '1ms'])
  const parameters = [
    '--import',
    preload,
    program,
    'sweep',
    '--every',
    '50ms',
    '--expire-after',
    '1d',
  ]
  const child = spawn(process.execPath, parameters, { cwd, stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (lines.push(line) === 3) child.kill('SIGTERM')
  }
  expect(lines.slice(0, 3)).toEqual([
    'Finished 0 uploads, removed 1 upload.',
    'Finished 0 uploads, removed 0 uploads.',
    'Finished 0 uploads, removed 0 uploads.',
  ])
  expect(await exited).toEqual([0, null])
})

test('a wrong time is refused', async () => {
  const { code, errors } = await runProgram(['sweep', '--every', '1 hour'])
  expect(code).toBe(2)
  expect(errors).toContain('--every must be a time with its unit')
})
