import { execFile } from 'node:child_process'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { program, runProgram } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { madeUploads } from './uploads.js'

const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href

test('uploads are listed in columns, in the order of their ids', async () => {
  const cwd = await temporaryDirectory()
  const ids = await madeUploads({ cwd }, [
    { length: 2_000_000, sent: 1_500_000, name: 'holiday.mp4' },
    { length: 11, name: 'notes.txt' },
  ])
  const { code, output } = await runProgram(['ls'], { cwd })
  expect(code).toBe(0)
  const [headings, ...rows] = output.trimEnd().split('\n')
  expect(headings).toMatch(/^ID {32}STATE {5}STORED {11}AGE +NAME$/)
  expect(rows.map((row) => row.split(/ +/)[0])).toEqual(ids.toSorted())
  expect(output).toMatch(/open {6}1\.5 MB \/ 2\.0 MB {2}\d+s +holiday\.mp4\n/)
  expect(output).toMatch(/finished {2}11 B {13}\d+s +notes\.txt\n/)
})

test('flags choose uploads', async () => {
  const cwd = await temporaryDirectory()
  const [open, small, large] = await madeUploads({ cwd }, [
    { length: 10, sent: 5, name: 'Draft.txt' },
    { length: 10, name: 'small.txt' },
    { length: 1_000_001, name: 'large.bin' },
  ])
  const sorted = [open, small, large].map(String).toSorted()
  const listed = async (...flags: string[]) => {
    const { code, output, errors } = await runProgram(['ls', '--json', ...flags], { cwd })
    expect(errors).toBe('')
    expect(code).toBe(0)
    const lines = output.split('\n').filter(Boolean)
    return lines.map((line) => (JSON.parse(line) as { id: string }).id)
  }
  expect(await listed('--state', 'open')).toEqual([open])
  expect(await listed('--state', 'finished')).toEqual([small, large].map(String).toSorted())
  expect(await listed('--larger-than', '1MB')).toEqual([large])
  expect(await listed('--name', 'dRAft')).toEqual([open])
  expect(await listed('--older-than', '1d')).toEqual([])
  expect(await listed('--older-than', '1ms')).toEqual(sorted)
  expect(await listed('--after', sorted[0]!)).toEqual(sorted.slice(1))
  expect(await listed('--max', '2')).toEqual(sorted.slice(0, 2))
  expect(await listed('--after', sorted[0]!, '--max', '1')).toEqual([sorted[1]])
})

test('control characters in names are escaped', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 1, name: 'a\u001b[31m\n\u202etxt.exe' }])
  const { output } = await runProgram(['ls'], { cwd })
  expect(output).toContain('a\\x1b[31m\\x0a\\u{202e}txt.exe\n')
  expect(output.trimEnd().split('\n')).toHaveLength(2)
})

test('an upload that cannot be read is listed with the reason', async () => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 1 }])
  await writeFile(join(cwd, 'data', `.${id}.info`), 'nonsense\n')
  const { code, output } = await runProgram(['ls', '--state', 'unreadable', '--json'], { cwd })
  expect(code).toBe(0)
  expect(JSON.parse(output)).toMatchObject({ id, state: 'unreadable', code: 'ERR_INFO_CORRUPT' })
  expect((await runProgram(['ls'], { cwd })).output).toMatch(/unreadable {2}- +- +\(.+\)\n/)
})

test('an upload without data is listed without a size', async () => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 9, sent: 4 }])
  await rm(join(cwd, 'data', id!))
  expect((await runProgram(['ls'], { cwd })).output).toMatch(/open +- +\d+s +-\n/)
})

test('a program that reads only the first lines causes no error', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads(
    { cwd },
    Array.from({ length: 20 }, () => ({ length: 1 })),
  )
  const run = `"${process.execPath}" --import "${preload}" "${program}" ls --json | head -n 1`
  const { stdout, stderr } = await promisify(execFile)('bash', ['-o', 'pipefail', '-c', run], {
    cwd,
  })
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  expect(stderr).toBe('')
})

test('a directory that the user may not read is named, with advice', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 1 }])
  await chmod(cwd, 0o755)
  await chmod(join(cwd, 'data'), 0o000)
  const run = [process.execPath, '--import', preload, program, 'ls']
  // Root may read everything.
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const [command, ...rest] = [...(process.getuid?.() === 0 ? asNobody : []), ...run]
  const failure = promisify(execFile)(command!, rest, { cwd })
  await expect(failure).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^tuskit: EACCES: permission denied.+ Give the user .+\n$/),
  })
})

test.each([
  [['--state', 'opne'], 'Did you mean open?'],
  [['--older-than', '7'], '--older-than must be a time with its unit'],
  [['--larger-than', '1XB'], '--larger-than must be a size'],
  [['--max', '0'], '--max must be a whole number, at least 1'],
  [['--data', 'file:./dta'], 'There is no directory ./dta. Correct --data.'],
  [['--data', 'memory:'], 'is in the memory of the server only'],
  [['--jsn'], 'Did you mean --json?'],
  [['extra'], 'too many arguments'],
])('%j is refused', async (flags, message) => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [])
  const { code, errors } = await runProgram(['ls', ...flags], { cwd })
  expect(errors).toContain(message)
  expect(errors).not.toMatch(/^ +at /m)
  expect(code).toBe(2)
})
