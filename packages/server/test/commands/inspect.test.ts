import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram, startProgram } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { madeUploads, slowUpload } from './uploads.js'

test('all that is known about uploads is shown', async () => {
  const cwd = await temporaryDirectory()
  const [first, second] = await madeUploads({ cwd }, [
    { length: 2_000_000, sent: 1_500_000, name: 'holiday.mp4' },
    { length: 11, name: 'a\nb' },
  ])
  const { code, output } = await runProgram(['inspect', first!, second!], { cwd })
  expect(code).toBe(0)
  expect(output).toMatch(new RegExp(`^id: +${first}\nstate: +open\n`))
  expect(output).toMatch(/stored: +1\.5 MB \/ 2\.0 MB \(1,500,000 of 2,000,000 bytes\)\n/)
  expect(output).toMatch(/metadata filename: +holiday\.mp4\n/)
  expect(output).toMatch(new RegExp(`\n\nid: +${second}\nstate: +finished\n`))
  expect(output).toMatch(/metadata filename: +a\\x0ab\n/)
})

test('with --json, each upload is an object of its own', async () => {
  const cwd = await temporaryDirectory()
  const ids = await madeUploads({ cwd }, [{ length: 2, sent: 1 }, { length: 3 }])
  const { output } = await runProgram(['inspect', '--json', ...ids], { cwd })
  const objects = output.trimEnd().split('\n')
  expect(objects.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { id: ids[0], state: 'open', offset: 1, upload: { length: 2 } },
    { id: ids[1], state: 'finished', offset: 3, upload: { length: 3 } },
  ])
})

test('an unknown upload is an error, and the others are shown', async () => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 2 }])
  const { code, output, errors } = await runProgram(['inspect', 'nope', '../x', id!], { cwd })
  expect(code).toBe(1)
  expect(errors).toBe('tuskit: There is no upload "nope".\ntuskit: There is no upload "../x".\n')
  expect(output).toContain(id)
})

test('an upload that cannot be read is shown with the reason', async () => {
  const cwd = await temporaryDirectory()
  const [id, other] = await madeUploads({ cwd }, [{ length: 2 }, { length: 2, sent: 1 }])
  await writeFile(join(cwd, 'data', `.${id}.info`), 'nonsense\n')
  await rm(join(cwd, 'data', other!))
  const { code, output } = await runProgram(['inspect', id!, other!], { cwd })
  expect(code).toBe(1)
  expect(output).toMatch(/state: +unreadable\nreason: .+\ncode: +ERR_INFO_CORRUPT\n/)
  expect(output).toMatch(/state: +open\nstored: +-\n/)
})

test('an upload that is being written is not disturbed, and nothing changes', async () => {
  const cwd = await temporaryDirectory()
  const running = await startProgram([], { cwd })
  const { id } = await slowUpload(running)
  const contents = async () => {
    const names = (await readdir(join(cwd, 'data'))).toSorted()
    return [names, await readFile(join(cwd, 'data', `.${id}.info`), 'utf8')]
  }
  const before = await contents()
  const { output } = await runProgram(['inspect', id], { cwd })
  expect(output).toMatch(/stored: +50\.0 kB \/ 100\.0 kB/)
  expect(await contents()).toEqual(before)
  expect(running.log()).not.toContain('"level":"error"')
})

test('without an id, the error says that one is missing', async () => {
  const { code, errors } = await runProgram(['inspect'])
  expect(code).toBe(2)
  expect(errors).toContain("missing required argument 'id'")
})
