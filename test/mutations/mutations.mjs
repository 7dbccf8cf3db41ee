// @ts-check

/**
 * A fault in one file of `src` that breaks a law, and the tests that fail because of it.
 *
 * @typedef {object} Mutation
 * @property {number} law its number in `docs/design.md`
 * @property {string} promise the law in short
 * @property {string} file of `src`
 * @property {string} change what happens to the file, for readers
 * @property {string} text occurs in the file exactly once
 * @property {string} replacement the text that breaks the law
 * @property {string} testFile
 * @property {readonly string[]} titles parts of titles in that file; every test that has one fails
 */

/** @type {readonly Mutation[]} */
export const mutations = [
  {
    law: 1,
    promise: 'bytes are the truth',
    file: 'src/uploads/body/store-chunk.ts',
    change: 'do not wait for `dataStore.append`, respond with the expected offset',
    text: 'if (verifier === undefined) {',
    replacement: `if (verifier === undefined) {
      void Promise.resolve(dataStore.append(upload, from, body, options)).catch(() => {})
      return { offset: from.offset + (body.size ?? 0) }`,
    testFile: 'test/laws/law-1-bytes-are-the-truth.test.ts',
    titles: ['a 204 is sent only after the store has stored'],
  },
  {
    law: 2,
    promise: 'nothing is thrown away',
    file: 'src/http/request-body.ts',
    change: 'drop `this.#collect()` from `#finish`',
    text: 'if (this.#started || this.#stream !== undefined) this.#collect()',
    replacement: '',
    testFile: 'test/laws/law-2-nothing-is-thrown-away.test.ts',
    titles: ['the application destroys'],
  },
  {
    law: 3,
    promise: 'unverified bytes never count',
    file: 'src/uploads/digests/verifier.ts',
    change: 'accept digests that are different',
    text: 'different.length > 0',
    replacement: 'false',
    testFile: 'test/laws/law-3-unverified-never-counts.test.ts',
    titles: ['not after a mismatch', 'not with a trailer that does not match'],
  },
  {
    law: 4,
    promise: 'one writer at a time',
    file: 'src/file-store/data/data-file.ts',
    change: 'do not replace the file when the lock was taken by force',
    text: 'if (write.fence.forced)',
    replacement: 'if (false)',
    testFile: 'test/file-store/verified-marker.test.ts',
    titles: ['writes to a file that no longer'],
  },
  {
    law: 5,
    promise: 'finishing is recorded',
    file: 'src/uploads/record/load.ts',
    change: 'ignore the state `rejected`',
    text: 'throw rejectionError(',
    replacement: 'void rejectionError(',
    testFile: 'test/laws/law-5-verdicts.test.ts',
    titles: ['that rejects is replayed'],
  },
  {
    law: 6,
    promise: 'tombstone before removal',
    file: 'src/uploads/record/removal.ts',
    change: 'remove the data without the `transition`',
    text: 'transition(engine, holder, tombstone, facts, exchange)',
    replacement: 'Promise.resolve()',
    testFile: 'test/laws/law-6-record-first.test.ts',
    titles: ['is completed by the next DELETE'],
  },
  {
    law: 7,
    promise: 'every limit holds',
    file: 'src/uploads/body/metered-body.ts',
    change: 'never hold the batch that reaches the limit',
    text: 'this.size !== undefined)',
    replacement: 'true)',
    testFile: 'test/laws/law-7-limits.test.ts',
    titles: ['a chunked body in pieces'],
  },
  {
    law: 8,
    promise: 'nothing internal leaks',
    file: 'src/http/error-response.ts',
    change: 'send the message of every error',
    text: 'if (status === 422) return errors[code][1]',
    replacement: 'return message',
    testFile: 'test/laws/law-8-nothing-leaks.test.ts',
    titles: ['of a store that has the code'],
  },
  {
    law: 9,
    promise: 'memory is bounded',
    file: 'src/http/batch.ts',
    change: 'do not merge small pieces',
    text: 'chunk.length >= tiny',
    replacement: 'true',
    testFile: 'test/laws/law-9-bounded-memory.test.ts',
    titles: ['a million pieces of one byte'],
  },
  {
    law: 10,
    promise: 'the core knows no store',
    file: 'src/features.ts',
    change: 'offer termination without looking at its slot',
    text: 'slots.terminator !== undefined',
    replacement: 'true',
    testFile: 'test/requirements/tus/options.test.ts',
    titles: ['extensions that a store cannot support'],
  },
]

/**
 * Returns the content of a file with the fault. Throws unless the text to replace occurs in it
 * exactly once.
 *
 * @param {Mutation} mutation
 * @param {string} code
 */
export function mutate({ file, text, replacement }, code) {
  const [before = '', after, ...others] = code.split(text)
  if (after === undefined || others.length > 0) {
    const times = after === undefined ? 'not at all' : `${others.length + 1} times`
    throw new Error(`${file} must contain this exactly once, and contains it ${times}: ${text}`)
  }
  return before + replacement + after
}
