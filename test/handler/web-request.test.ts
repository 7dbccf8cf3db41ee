import { describe, expect, test } from 'vitest'
import { createHandler, type Handler } from 'tuskit'
import { memoryComposer } from '../support/serve.js'

/** The handler without its types, as a JavaScript program calls it. */
type Misused = (...parameters: unknown[]) => Promise<void>

const handler: Handler = createHandler({ basePath: '/files', composer: memoryComposer() })
const misused = handler as unknown as Misused
const web = () => new Request('http://localhost/files', { method: 'POST' })

describe('a handler that is not called with the request and response of Node', () => {
  test('throws one error that says what it accepts, for a web Request', () => {
    const sentence = /web Request; it takes the request and response of node:http/
    for (const rest of [[], [{ params: {} }], [undefined]]) {
      expect(() => misused(web(), ...rest)).toThrow(TypeError)
      expect(() => misused(web(), ...rest)).toThrow(sentence)
    }
  })

  test('names the argument otherwise', () => {
    class Context {}
    expect(() => misused(new Context(), () => {})).toThrow(/called with Context and function;/)
    expect(() => misused()).toThrow(/called with undefined and undefined;/)
    expect(() => misused(null, null)).toThrow(/called with null and null;/)
    expect(() => misused({ headers: {} })).toThrow(/called with Object and undefined;/)
  })

  test('passes the error to next when there is one', async () => {
    const errors: unknown[] = []
    await misused(web(), {}, (error: unknown) => errors.push(error))
    expect(errors).toEqual([expect.any(TypeError)])
  })
})
