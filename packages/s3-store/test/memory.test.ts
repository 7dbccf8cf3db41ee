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
  let has = 0
  const take = async (bytes: number, needsMore = false) => {
    const spilling = memory.use(share)
    if (spilling !== undefined) await spilling
    await memory.take(share, bytes, needsMore, never)
    has += bytes
  }
  return { share, spills, take, has: () => has }
}

/** Lets a writer wait for its client, for so long that it is slow. */
function slowDown(memory: Memory, { share }: { readonly share: MemoryShare }): void {
  memory.rest(share)
  share.since -= 10_000
}

test('no more memory is in use than allowed', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  await a.take(70)
  const taken = b.take(50)
  expect(memory.used).toBe(70)
  memory.send(a.share)()
  await taken
  expect(memory.used).toBe(50)
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
  await taken
  expect(a.spills).toEqual([])
  expect(memory.used).toBe(50)
})

test('slow clients give up as much memory as others need', async () => {
  const memory = new Memory(100)
  const slow = Array.from({ length: 10 }, () => writerIn(memory))
  for (const writer of slow) {
    await writer.take(10)
    slowDown(memory, writer)
  }
  const taken = writerIn(memory).take(25)
  const spilled = slow.filter(({ spills }) => spills.length > 0)
  expect(spilled).toHaveLength(3)
  for (const { spills } of spilled) spills[0]!()
  await taken
})

test('a client that sends again waits until its bytes are spilled', async () => {
  const memory = new Memory(100)
  const [slow, busy] = [writerIn(memory), writerIn(memory)]
  await slow.take(100)
  slowDown(memory, slow)
  const taken = busy.take(30)
  const more = slow.take(10)
  expect(memory.used).toBe(100)
  slow.spills[0]!()
  await Promise.all([taken, more])
  expect(memory.used).toBe(40)
})

test('a client that is quick keeps its memory', async () => {
  const memory = new Memory(100)
  const [quick, other] = [writerIn(memory), writerIn(memory)]
  await quick.take(80)
  memory.rest(quick.share)
  const taken = other.take(30)
  expect(quick.spills).toEqual([])
  await memory.use(quick.share)
  memory.send(quick.share)()
  await taken
})

test('the writer that has most gets memory first', async () => {
  const memory = new Memory(100)
  const [a, b, c] = [writerIn(memory), writerIn(memory), writerIn(memory)]
  await a.take(10, true)
  await b.take(30, true)
  await c.take(50)
  const free = memory.send(c.share)
  const waiting = [a.take(60), writerIn(memory).take(5), b.take(50)]
  free()
  await waiting[2]
  expect([a.has(), b.has()]).toEqual([10, 80])
  memory.send(b.share)()
  await Promise.all(waiting)
})

test('first steps leave half of the memory to parts that can become full', async () => {
  const memory = new Memory(100)
  const [a, b, c] = [writerIn(memory), writerIn(memory), writerIn(memory)]
  await a.take(25, true)
  await b.take(25, true)
  const third = c.take(25, true)
  await a.take(50)
  expect(c.has()).toBe(0)
  memory.send(a.share)()
  await third
})

test('when all writers wait, the one that has least makes space', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  await a.take(30, true)
  await b.take(20, true)
  const waiting = [a.take(80), b.take(80)]
  expect([a.spills.length, b.spills.length]).toEqual([0, 1])
  b.spills[0]!()
  // It does not suffice for a part that is as large as the memory.
  a.spills[0]!()
  await Promise.race(waiting)
  for (const { share } of [a, b]) memory.send(share)()
  await Promise.all(waiting)
})

test('who gives up waiting gets no memory', async () => {
  const memory = new Memory(100)
  const [a, b] = [writerIn(memory), writerIn(memory)]
  await a.take(100)
  const free = memory.send(a.share)
  const abort = new AbortController()
  const taken = memory.take(b.share, 10, false, abort.signal)
  abort.abort(new Error('gone'))
  await expect(taken).rejects.toThrow('gone')
  free()
  expect(memory.used).toBe(0)
})

test('what is reserved can be written while it is reserved', async () => {
  const memory = new Memory(100)
  const chunks = [25, 25].map((bytes) => ({ free: memory.reserve(bytes)!, ...writerIn(memory) }))
  for (const { take, share, free } of chunks) {
    const most = memory.allot(share, 100)
    await take(5, true)
    await take(most - 5)
    memory.send(share)()
    free()
  }
  expect(memory.used).toBe(0)
})

test('only half of the memory can be reserved', async () => {
  const memory = new Memory(100)
  const free = memory.reserve(50)!
  expect(memory.reserve(1)).toBeUndefined()
  await writerIn(memory).take(50)
  free()
  expect(memory.used).toBe(50)
  expect(memory.reserve(51)).toBeUndefined()
  expect(memory.reserve(50)).toBeDefined()
})

test('a writer can have all memory if none is reserved', async () => {
  const memory = new Memory(100)
  expect(memory.allot(writerIn(memory).share, 100)).toBe(100)
})

test('when half of the memory is reserved, writers share the other half', async () => {
  const memory = new Memory(100)
  memory.reserve(50)
  const writer = writerIn(memory)
  expect(memory.allot(writer.share, 100)).toBe(50)
  await writer.take(10, true)
  await writer.take(40)
  expect(memory.used).toBe(100)
})

test('what a writer may still need is not reserved', () => {
  const memory = new Memory(100)
  const { share } = writerIn(memory)
  expect(memory.allot(share, 80)).toBe(80)
  expect(memory.reserve(21)).toBeUndefined()
  expect(memory.reserve(20)).toBeDefined()
  memory.close(share)
  expect(memory.reserve(30)).toBeDefined()
})

test('a first step of more than half of the memory is possible', async () => {
  const memory = new Memory(100)
  const writer = writerIn(memory)
  await writer.take(60, true)
  await writer.take(40)
  expect(memory.used).toBe(100)
})
