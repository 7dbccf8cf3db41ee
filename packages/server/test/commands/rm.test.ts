import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProgram, startProgram } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { madeUploads, slowUpload } from './uploads.js'

test('uploads are removed, and unknown ones do not keep it from the others', async () => {
  const cwd = await temporaryDirectory()
  const [open, finished, other] = await madeUploads({ cwd }, [
    { length: 5, sent: 2 },
    { length: 5 },
    { length: 5 },
  ])
  const { code, output, errors } = await runProgram(['rm', open!, 'nope', finished!], { cwd })
  expect(code).toBe(1)
  expect(output).toBe(`Removed ${open}\nRemoved ${finished}\n`)
  expect(errors).toBe('tuskit: There is no upload "nope".\n')
  const names = await readdir(join(cwd, 'data'))
  const rest = names.filter((name) => name.includes(open!) || name.includes(finished!))
  expect(rest).toEqual([])
  expect(names).toEqual(expect.arrayContaining([other, `.${other}.info`]))
})

test('the terminate hooks of the settings run, and can refuse', async () => {
  const cwd = await temporaryDirectory()
  const [kept, removed] = await madeUploads({ cwd }, [{ length: 5 }, { length: 5 }])
  await mkdir(join(cwd, 'hooks'))
  const refusal = '{"RejectTermination":true,"HTTPResponse":{"Body":"It is kept."}}'
  for (const [name, script] of [
    ['pre-terminate', `[ "$TUS_ID" = ${kept} ] && echo '${refusal}'; exit 0`],
    ['post-terminate', 'echo "$TUS_ID" >> ../removed'],
  ] as const) {
    await writeFile(join(cwd, 'hooks', name), `#!/bin/sh\n${script}\n`)
    await chmod(join(cwd, 'hooks', name), 0o755)
  }
  const parameters = ['rm', '--hooks-dir', './hooks', kept!, removed!]
  const { code, output, errors } = await runProgram(parameters, { cwd })
  expect(code).toBe(1)
  expect(output).toBe(`Removed ${removed}\n`)
  expect(errors).toBe(`tuskit: ${kept} is not removed: It is kept.\n`)
  expect(await readFile(join(cwd, 'removed'), 'utf8')).toBe(`${removed}\n`)
})

test('an upload that a server is receiving is removed safely', async () => {
  const cwd = await temporaryDirectory()
  const running = await startProgram([], { cwd })
  const { id, ended } = await slowUpload(running)
  const { code, output } = await runProgram(['rm', id], { cwd })
  expect(output).toBe(`Removed ${id}\n`)
  expect(code).toBe(0)
  await ended
  const head = await fetch(`${running.url}${id}`, {
    method: 'HEAD',
    headers: { 'tus-resumable': '1.0.0' },
  })
  expect(head.status).toBe(404)
})

test.each(['rm', 'sweep'])('%s refuses locks that it cannot see', async (command) => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 5 }])
  const parameters = [command, '--locks', 'memory:', ...(command === 'rm' ? [id!] : [])]
  const { code, errors } = await runProgram(parameters, { cwd })
  expect(code).toBe(2)
  expect(errors).toContain('The locks are in the memory of the server (--locks memory:)')
})

test('with --limit, it warns that a running server does not notice the space', async () => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 5 }])
  const { code, errors } = await runProgram(['rm', '--limit', '1GB', id!], { cwd })
  expect(code).toBe(0)
  expect(errors).toMatch(/^A running server counts the space of removed uploads .+ restarts\.\n$/)
})
