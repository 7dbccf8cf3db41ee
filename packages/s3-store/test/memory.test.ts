import { expect, test } from 'vitest'
import { Memory, type MemoryShare } from '../src/data/memory.js'

const never = new AbortController().signal

/** A writer whose bytes leave the memory when a test says so. */
function writerIn(memory: Memory) {
  const spills: (() => void)[] = []
  const share: MemoryShare = memory.open(
    () =>
      new Promise((resolve) => {
        const free = memory.send(share)
        spills.push(() => {
          free()
          resolve()
        })
      }),
  )
  return { share, spills, take: (most: number) => memory.take(share, most, never) }
}

test('there is never more memory in use than allowed', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  expect(await a.take(70)).toBe(70)
  expect(await b.take(70)).toBe(30)
  expect(memory.used).toBe(100)
  memory.close(a.share)
  expect(memory.used).toBe(30)
  expect(await b.take(200)).toBe(70)
  memory.close(b.share)
  expect(memory.used).toBe(0)
})

test('a writer that waits gets the memory of parts that were sent', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  await a.take(100)
  const free = memory.send(a.share)
  const taken = b.take(50)
  free()
  free()
  expect(await taken).toBe(50)
  expect(a.spills).toEqual([])
  expect(memory.used).toBe(50)
})

test('a client that sends nothing gives up its memory when somebody else needs some', async () => {
  const memory = new Memory(100)
  const [idle, busy] = [writerIn(memory), writerIn(memory)]
  await idle.take(60)
  memory.rest(idle.share)
  await busy.take(40)
  const taken = busy.take(30)
  expect(idle.spills).toHaveLength(1)
  expect(busy.spills).toHaveLength(0)
  idle.spills[0]!()
  expect(await taken).toBe(30)
})

test('a client that sends again waits until its bytes are spilled', async () => {
  const memory = new Memory(100)
  const [idle, busy] = [writerIn(memory), writerIn(memory)]
  await idle.take(100)
  memory.rest(idle.share)
  const taken = busy.take(30)
  const more = idle.take(10)
  idle.spills[0]!()
  expect(await taken).toBe(30)
  expect(await more).toBe(10)
})

test('the part that is nearest to full gets memory first', async () => {
  const memory = new Memory(100)
  const [a, b, c] = [writerIn(memory), writerIn(memory), writerIn(memory)]
  await a.take(10)
  await b.take(50)
  await c.take(40)
  const served: string[] = []
  const waiting = Object.entries({ a, c, b }).map(async ([name, { take }]) => {
    await take(10)
    served.push(name)
  })
  // Nobody is idle, so those with the longest way to a full part make space.
  a.spills[0]!()
  await waiting[2]
  expect(served).toEqual(['b'])
  c.spills[0]!()
  await Promise.all(waiting)
})

test('a single part that is larger than the memory is spilled piece by piece', async () => {
  const memory = new Memory(100)
  const writer = writerIn(memory)
  for (let spills = 1; spills <= 3; spills++) {
    expect(await writer.take(1_000)).toBe(100)
    const more = writer.take(1)
    expect(writer.spills).toHaveLength(spills)
    writer.spills.at(-1)!()
    await more
    memory.send(writer.share)()
  }
})

test('who gives up waiting gets no memory', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  await a.take(100)
  const free = memory.send(a.share)
  const abort = new AbortController()
  const taken = memory.take(b.share, 10, abort.signal)
  abort.abort(new Error('gone'))
  await expect(taken).rejects.toThrow('gone')
  free()
  expect(memory.used).toBe(0)
})

test('only half of the memory can be reserved', async () => {
  const memory = new Memory(100)
  const free = memory.reserve(50)!
  expect(memory.reserve(1)).toBeUndefined()
  expect(await writerIn(memory).take(80)).toBe(50)
  free()
  expect(memory.used).toBe(50)
  expect(memory.reserve(51)).toBeUndefined()
  expect(memory.reserve(50)).toBeDefined()
})
