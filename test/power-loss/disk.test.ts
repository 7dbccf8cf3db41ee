import { expect, test } from 'vitest'
import { Disk } from './disk.js'
import type { Change } from './disk-events.js'

/** Returns every state that these changes may leave, each as a text. */
function remainsOf(...changes: Change[]): string[] {
  const disk = new Disk()
  for (const change of changes) {
    if (change.kind === 'sync') disk.beginSync(change)
    disk.apply(change)
  }
  return disk
    .remains()
    .map((remains) => [...remains].map(([path, text]) => `${path}=${text}`).join(' '))
    .sort()
}

const create = (path: string) => ({ kind: 'create', path }) as const
const write = (path: string, text: string, at?: number) =>
  ({ kind: 'write', path, text, ...(at !== undefined && { at }) }) as const
const sync = (path: string) => ({ kind: 'sync', path }) as const

test('a file needs a sync of its own and one of its directory', () => {
  const made = [create('a'), write('a', 'x')]
  expect(remainsOf(...made)).toEqual(['', 'a=', 'a=x'])
  expect(remainsOf(...made, sync('a'))).toEqual(['', 'a=x'])
  expect(remainsOf(...made, sync(''))).toEqual(['a=', 'a=x'])
  expect(remainsOf(...made, sync('a'), sync(''))).toEqual(['a=x'])
})

test('either of two changes may be kept alone', () => {
  expect(remainsOf(create('a'), create('b'))).toEqual(['', 'a=', 'a= b=', 'b='])
})

test('a rename may be half done', () => {
  const renamed = { kind: 'rename', from: 'a', path: 'b' } as const
  const found = remainsOf(create('a'), write('a', 'x'), sync('a'), sync(''), renamed)
  expect(found).toEqual(['', 'a=x', 'a=x b=x', 'b=x'])
})

test('a folder that loses its name loses its contents', () => {
  const made = [{ kind: 'mkdir', path: 'one' } as const, create('one/a')]
  expect(remainsOf(...made, sync('one'))).toEqual(['', 'one=undefined one/a='])
  expect(remainsOf(...made, sync('one'), sync(''))).toEqual(['one=undefined one/a='])
})

test('a removed file may come back', () => {
  const made = [create('a'), sync('')]
  const removed = { kind: 'remove', path: 'a' } as const
  expect(remainsOf(...made, removed)).toEqual(['', 'a='])
  expect(remainsOf(...made, removed, sync(''))).toEqual([''])
})

test('a write goes to its position, and a file that is cut or grows is filled with zeros', () => {
  const made = [create('a'), write('a', 'abc'), write('a', 'X', 1)]
  const cut = { kind: 'truncate', path: 'a', size: 2 } as const
  expect(remainsOf(...made, cut, write('a', 'Y', 3), sync('a'), sync(''))).toEqual(['a=aX\0Y'])
})

test('a sync covers the changes made before it began', () => {
  const disk = new Disk()
  const syncing = sync('a')
  disk.apply(create('a'))
  disk.beginSync(sync(''))
  disk.apply(write('a', 'x'))
  disk.beginSync(syncing)
  disk.apply(write('a', 'y'))
  disk.apply(syncing)
  const contents = disk.remains().flatMap((remains) => [...remains.values()])
  expect(new Set(contents)).toEqual(new Set(['x', 'xy']))
})
