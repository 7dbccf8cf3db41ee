import { expect, test } from 'vitest'
import { planAfter, type AdoptedBytes } from '../src/data/adopted-plan.js'
import { PartPlan } from '../src/data/part-plan.js'
import { countedParts } from '../src/data/stored.js'
import { profiles, type S3Profile } from '../src/providers.js'

const MiB = 1_048_576
const TiB = MiB * MiB
const { aws, r2 } = profiles

function planOf(bytes: Partial<AdoptedBytes>, profile: S3Profile = aws): PartPlan {
  const whole = { length: undefined, limit: profile.maxSize, parts: [], rest: 0, ...bytes }
  return new PartPlan(planAfter(whole, 8 * MiB, profile), profile)
}

const sizes = [7 * MiB, 7 * MiB, 5 * MiB, 123 * MiB, 7 * MiB]
const stored = 149 * MiB

test('parts of another server keep their sizes, and others follow them', () => {
  const plan = planOf({ length: 500 * MiB, parts: sizes, rest: 1000 })
  expect(plan.numbers.adopted).toEqual([
    [7 * MiB, 2],
    [5 * MiB, 1],
    [123 * MiB, 1],
    [7 * MiB, 1],
  ])
  expect([0, 1, 2, 3, 4, 5, 6].map((part) => plan.sizeOf(part))).toEqual([
    ...sizes,
    8 * MiB,
    8 * MiB,
  ])
  expect([0, 1, 2, 3, 4, 5, 6].map((part) => plan.startOf(part))).toEqual(
    [0, 7, 14, 19, 142, 149, 157].map((start) => start * MiB),
  )
})

test.each([undefined, 500 * MiB])('the parts of both are counted, with the length %s', (length) => {
  const plan = planOf({ length, parts: sizes })
  const all = [...sizes, 8 * MiB, 8 * MiB]
  const listed = all.map((size, index) => ({ number: index + 1, size, etag: '' }))
  expect(countedParts(listed, plan, length)).toEqual(listed)
  expect(countedParts(listed.slice(0, 6), plan, length)).toHaveLength(6)
  const cut = listed.map((part) => ({ ...part, size: part.number === 6 ? MiB : part.size }))
  expect(countedParts(cut, plan, length)).toHaveLength(length === undefined ? 6 : 5)
})

test('whatever remains fits into the parts that remain', () => {
  for (const count of [0, 1, 100, 5_000, 9_000, 9_900]) {
    const parts = Array.from({ length: count }, () => 5 * MiB)
    for (const length of [undefined, count * 5 * MiB + 1, 64 * 1024 * MiB, TiB / 8]) {
      if (length !== undefined && length < count * 5 * MiB) continue
      const plan = planOf({ length, parts })
      const { maxParts, maxPartSize } = aws
      expect(plan.startOf(maxParts)).toBeGreaterThanOrEqual(length ?? count * 5 * MiB)
      for (const part of [count, 5_000, 9_999]) {
        if (part < count) continue
        expect(plan.sizeOf(part)).toBeGreaterThanOrEqual(5 * MiB)
        expect(plan.sizeOf(part)).toBeLessThanOrEqual(maxPartSize)
      }
    }
  }
})

test('parts that no other can follow are refused', () => {
  const full = Array.from({ length: 10_000 }, () => 5 * MiB)
  expect(() => planOf({ length: 50_001 * MiB, parts: full })).toThrow('it has 10000 parts')
  expect(() => planOf({ parts: full, rest: 1 })).toThrow('it has 10000 parts')
  expect(() => planOf({ length: 500 * MiB, parts: [1000] })).toThrow('a part of 1000 bytes')
  expect(() => planOf({ parts: [5 * MiB, 1000] })).toThrow('a part of 1000 bytes')
})

test('an upload with all of its bytes needs no other parts', () => {
  const plan = planOf({ length: stored + 1, parts: [...sizes, 1] })
  const listed = [...sizes, 1].map((size, index) => ({ number: index + 1, size, etag: '' }))
  expect(countedParts(listed, plan, stored + 1)).toEqual(listed)
})

test('a first part of our own has space for the bytes that fill no part', () => {
  const plan = planOf({ length: 500 * MiB, parts: sizes, rest: 20 * MiB + 1 })
  expect(plan.sizeOf(5)).toBeGreaterThan(20 * MiB)
})

test('a service that wants equal parts gets parts of the size that is there', () => {
  const parts = [50 * MiB, 50 * MiB]
  expect(planOf({ length: 500 * MiB, parts }, r2).sizeOf(2)).toBe(50 * MiB)
  expect(() => planOf({ length: 500 * MiB, parts: sizes }, r2)).toThrow('different sizes')
  expect(() => planOf({ length: TiB, parts }, r2)).toThrow('the rest does not fit')
  expect(planOf({ length: 500 * MiB }, r2).sizeOf(0)).toBe(8 * MiB)
})
