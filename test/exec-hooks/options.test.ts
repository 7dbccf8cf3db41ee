import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ExecHooks, type ExecHooksOptions } from 'tuskit/exec-hooks'
import { writeProgram } from '../support/hook-program.js'
import { post, serve, temporaryDirectory } from '../support/serve.js'

describe('the start fails', () => {
  test.each([
    [
      {},
      "ExecHooks: option 'directory' must be a path, unless there is a 'program', not undefined",
    ],
    [
      { directory: '/a', program: '/b' },
      "ExecHooks: option 'directory' must be a path, unless there is a 'program', not '/a'",
    ],
    [{ directory: '' }, "ExecHooks: option 'directory' must be a non-empty string, not ''"],
    [
      { program: '/bin/true', events: ['pre-creat'] },
      /'events' must be an array of any of .*, not \[ 'pre-creat' \]; did you mean 'pre-create'\?$/,
    ],
    [{ program: '/bin/true', input: 'args' }, /'input' must be one of 'stdin', 'argument'/],
    [{ program: '/bin/true', timeout: 0 }, /'timeout' must be a number of milliseconds/],
    [{ program: '/bin/true', format: 'v2' }, /'format' must be one of 'tusd', 'rustus'/],
    [{ program: '/bin/true', storage: {} }, /'storage' must be a function/],
    [{ program: '/bin/true', retries: 1 }, /'retries'/],
  ])('with the options %j', (options, message) => {
    expect(() => new ExecHooks(options as ExecHooksOptions)).toThrow(message)
  })

  test('without the folder', async () => {
    const directory = join(await temporaryDirectory(), 'hooks')
    expect(() => new ExecHooks({ directory })).toThrow(/ENOENT.*hooks/)
    expect(() => new ExecHooks({ directory, events: ['pre-create'] })).toThrow(
      `ExecHooks: ${join(directory, 'pre-create')} must be an executable file`,
    )
  })

  test('without a program in the folder, such as with misspelt names', async () => {
    const directory = await temporaryDirectory()
    await writeProgram(join(directory, 'precreate'), '')
    expect(() => new ExecHooks({ directory })).toThrow(
      /'directory' must be a folder with a program that is named access, pre-create, /,
    )
  })

  test('without the program for an event', async () => {
    const directory = await temporaryDirectory()
    await writeProgram(join(directory, 'post-finish'), '')
    expect(() => new ExecHooks({ directory, events: ['pre-create', 'post-finish'] })).toThrow(
      `ExecHooks: ${join(directory, 'pre-create')} must be an executable file`,
    )
  })

  test('with a file that may not be executed, or a folder in its place', async () => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, 'pre-create'), '#!/bin/sh\n', { mode: 0o644 })
    expect(() => new ExecHooks({ directory })).toThrow('must be an executable file')
    const other = await temporaryDirectory()
    await mkdir(join(other, 'pre-create'))
    expect(() => new ExecHooks({ directory: other })).toThrow('must be an executable file')
  })
})

test('a directory handles the events that it has programs for', async () => {
  const directory = await temporaryDirectory()
  for (const name of ['access', 'pre-finish', 'post-finish', 'README', 'lib.sh']) {
    await writeProgram(join(directory, name), '')
  }
  const { events } = new ExecHooks({ directory })
  expect(events).toEqual(['access', 'pre-finish', 'post-finish'])
  expect(new ExecHooks({ directory, events: ['post-finish'] }).events).toEqual(['post-finish'])
})

test('one program handles the events that tusd sends by default', () => {
  expect(new ExecHooks({ program: '/bin/true' }).events).toEqual([
    ...['pre-create', 'post-create', 'post-receive', 'post-finish', 'post-terminate'],
  ])
})

test('paths are relative to the folder of the process', async () => {
  const directory = await temporaryDirectory()
  const program = await writeProgram(join(directory, 'pre-create'), `[ "$PWD" = ${directory} ]`)
  const own = await serve({ hooks: new ExecHooks({ directory: relative('.', directory) }) })
  expect((await post(own, { 'upload-length': '1' })).status).toBe(201)
  await writeProgram(program, `[ "$1" = pre-create ] && [ "$PWD" = ${process.cwd()} ]`)
  const events = ['pre-create'] as const
  const one = await serve({ hooks: new ExecHooks({ program: relative('.', program), events }) })
  expect((await post(one, { 'upload-length': '1' })).status).toBe(201)
})
