import { spawnSync } from 'node:child_process'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { errors, isTusError, TusError } from 'tuskit'

const gone = 'TusError [ERR_UPLOAD_GONE]: The upload has been removed or has expired'

describe('a TusError is printed as the errors of Node are', () => {
  test('with its code in the first line', () => {
    const error = new TusError('ERR_UPLOAD_GONE')
    expect(inspect(error).split('\n')[0]).toBe(gone)
    expect(error.stack!.split('\n')[0]).toBe(gone)
    expect(String(error)).toBe(gone)
    expect(`${error.name}: ${error.message}`).toBe(gone)
    expect(error.message).toBe(errors.ERR_UPLOAD_GONE[1])
  })

  test('with the place of its caller in the second line', () => {
    const [, place] = new TusError('ERR_UPLOAD_GONE').stack!.split('\n')
    expect(place).toContain('errors.test.ts')
  })

  test('without members that are not set', () => {
    const error = new TusError('ERR_UPLOAD_GONE', { offset: undefined, cause: undefined })
    expect(inspect(error)).toMatch(/\{\n  code: 'ERR_UPLOAD_GONE',\n  status: 410\n\}$/)
    expect(Object.keys(error)).toEqual(['code', 'status'])
    expect('cause' in error).toBe(false)
    expect([error.offset, error.headers, error.final]).toEqual([undefined, {}, false])
  })

  test('with the members that are set', () => {
    const headers = { 'retry-after': '1' }
    const error = new TusError('ERR_BODY_STALLED', { offset: 0, headers, maxSize: 0 })
    expect({ ...error }).toEqual({
      ...{ code: 'ERR_BODY_STALLED', status: 503 },
      ...{ headers, offset: 0, maxSize: 0 },
    })
  })

  test('with its cause, which may be another one', () => {
    const cause = new TusError('ERR_STORAGE_UNAVAILABLE', { cause: new Error('EIO') })
    const text = inspect(new TusError('ERR_INTERNAL', { cause }))
    expect(text).toContain('TusError [ERR_INTERNAL]: Internal error\n')
    expect(text).toContain('[cause]: TusError [ERR_STORAGE_UNAVAILABLE]: ')
    expect(text).toContain('[cause]: Error: EIO')
    expect(text).not.toContain('undefined')
  })

  test('when it is not caught', () => {
    const module = JSON.stringify(new URL('../.dist/index.js', import.meta.url).href)
    const program = `import { TusError } from ${module}; throw new TusError('ERR_UPLOAD_GONE')`
    const run = ['--input-type=module', '-e', program]
    const { stderr } = spawnSync(process.execPath, run, { encoding: 'utf8' })
    expect(stderr).toContain(`\n${gone}\n    at `)
    expect(stderr).toContain("{\n  code: 'ERR_UPLOAD_GONE',\n  status: 410\n}")
  })
})

test.each([
  ['ERR_NOPE', "'ERR_NOPE'"],
  ['ERR_UPLOAD_GON', "'ERR_UPLOAD_GON'; did you mean 'ERR_UPLOAD_GONE'?"],
  ['upload-gone', "'upload-gone'; did you mean 'ERR_UPLOAD_GONE'?"],
  ['toString', "'toString'"],
  [undefined, 'undefined'],
])('a TusError with the code %j is refused', (code, shown) => {
  expect(() => new TusError(code as 'ERR_INTERNAL')).toThrow(
    new TypeError(`TusError: argument 'code' must be a code of the table errors, not ${shown}`),
  )
})

test('a TusError has no stack when the application disables stacks', () => {
  const { stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = 0
    expect(new TusError('ERR_UPLOAD_GONE').stack).toBe(gone)
    expect(Error.stackTraceLimit).toBe(0)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
})

test('an error of another copy of tuskit is recognised by its code', async () => {
  const copy = (await import(new URL('../.dist/index.js', import.meta.url).href)) as {
    TusError: typeof TusError
  }
  const error = new copy.TusError('ERR_UPLOAD_GONE')
  expect(error).not.toBeInstanceOf(TusError)
  expect(isTusError(error, 'ERR_UPLOAD_GONE')).toBe(true)
  expect(isTusError(error, 'ERR_REJECTED')).toBe(false)
  expect(isTusError(Object.assign(new Error('no'), { code: 'ERR_UPLOAD_GONE' }))).toBe(false)
})

test('a stack can be replaced, as for every error', () => {
  const error = new TusError('ERR_UPLOAD_GONE')
  error.stack = 'elsewhere'
  expect([error.stack, Object.keys(error)]).toEqual(['elsewhere', ['code', 'status']])
})
