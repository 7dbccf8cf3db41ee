import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { newDirectory, signal, text, uploadOf, writing } from './stage.js'
import { noAbort } from '../support/stages.js'

const children = new Set<ChildProcess>()

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

function program(name: string): string {
  return fileURLToPath(new URL(`../programs/${name}.mjs`, import.meta.url))
}

function start(name: string, ...args: string[]) {
  const child = spawn(process.execPath, [program(name), ...args])
  children.add(child)
  return child
}

describe('kill -9', () => {
  it('in the middle of a chunk with a checksum leaves bytes that do not count', async () => {
    const directory = await newDirectory()
    const store = new FileStore({ directory })
    const upload = uploadOf('a')
    await store.create(upload, writing())
    await store.append(upload, { offset: 0 }, text('AAA'), writing())
    const child = start('append-verified', directory, 'stop')
    const exited = once(child, 'exit')
    await once(child.stdout, 'data')
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 3, size: 5003 })
    child.kill('SIGKILL')
    await exited
    const from = await store.stat(upload, { signal })
    expect(from).toMatchObject({ offset: 3, size: 5003 })
    await store.append(upload, from, text('AAAA'), writing())
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('AAAAAAA')
  })

  it('leaves every announced byte, and no unverified one', async () => {
    const directory = await newDirectory()
    const store = new FileStore({ directory })
    const upload = uploadOf('a')
    await store.create(upload, writing())
    await store.append(upload, { offset: 0 }, text('AAA'), writing())
    let announced = 3
    for (let round = 0; round < 12; round++) {
      const child = start('append-verified', directory)
      const exited = once(child, 'exit')
      let lines = 0
      for await (const line of createInterface(child.stdout)) {
        if (line !== 'busy') announced = Number(line)
        // Each round ends in another phase of the first chunks: plain ones and ones with right or
        // wrong checksums.
        if (++lines === round + 1) child.kill('SIGKILL')
      }
      expect(await exited).toEqual([null, 'SIGKILL'])
      const found = await store.stat(upload, { signal })
      expect(found.offset).toBeGreaterThanOrEqual(announced)
      const bytes = await readFile(join(directory, 'a'))
      expect(bytes.subarray(0, found.offset).equals(Buffer.alloc(found.offset, 'A'))).toBe(true)
    }
    expect(announced).toBeGreaterThan(3)
    const from = await store.stat(upload, { signal })
    await store.append(upload, from, text('A'), writing())
    const bytes = await readFile(join(directory, 'a'))
    expect(bytes.equals(Buffer.alloc(from.offset + 1, 'A'))).toBe(true)
  })
})

describe('processes that race for the same record', () => {
  it('have one winner for each revision, and all see its record', async () => {
    const directory = await newDirectory()
    const store = new FileInfoStore({ directory })
    await store.create(uploadOf('a'), noAbort)
    const last = 150
    const racers = ['p', 'q', 'r'].map((name) => {
      const child = start('update-info', directory, String(last), name)
      return { name, child, output: buffer(child.stdout), exited: once(child, 'exit') }
    })
    await Promise.all(racers.map(({ child }) => once(child.stderr, 'data')))
    for (const { child } of racers) child.stdin.end('go')
    const winners = new Map<number, string>()
    for (const { name, output, exited } of racers) {
      expect(await exited).toEqual([0, null])
      for (const line of (await output).toString().trim().split('\n').filter(Boolean)) {
        expect(winners.has(Number(line))).toBe(false)
        winners.set(Number(line), name)
      }
    }
    const names = Array.from({ length: last - 1 }, (_, i) => winners.get(i + 2))
    const upload = await store.get('a')
    expect(upload?.revision).toBe(last)
    expect(upload?.metadata.raw).toBe(names.join(''))
    expect(winners.size).toBe(last - 1)
  })
})

describe('a full disk', () => {
  it('rejects, counts the stored bytes and keeps the previous record', async () => {
    const directory = await newDirectory()
    // A limit on the size of files: 16 blocks of 512 or 1,024 bytes, depending on the shell.
    const command = 'ulimit -f 16 && exec "$@"'
    const args = ['-c', command, 'sh', process.execPath, program('fill-file-store'), directory]
    const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.add(child)
    const exited = once(child, 'exit')
    const output = (await buffer(child.stdout)).toString()
    expect(await exited).toEqual([0, null])
    const result = JSON.parse(output)
    expect(result).toMatchObject({
      append: 'ERR_STORAGE_FULL EFBIG',
      announced: [1000],
      update: 'ERR_STORAGE_FULL',
      revision: 1,
      create: 'ERR_STORAGE_FULL',
      names: ['.b.info', '.tuskit', 'a'],
    })
    expect([8192, 16384]).toContain(result.offset)
    const store = new FileInfoStore({ directory })
    await store.update({ ...uploadOf('b'), revision: 2 }, noAbort)
    expect((await store.get('b'))?.revision).toBe(2)
  })
})
