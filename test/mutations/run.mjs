// @ts-check
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'
import { mutate, mutations } from './mutations.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

const laws = process.argv.slice(2).map(Number)
const unknown = laws.filter((number) => !mutations.some(({ law }) => law === number))
if (unknown.length > 0) {
  console.error('Usage: npm run mutations -- [numbers of laws]')
  process.exit(2)
}

let unseen = 0
for (const mutation of mutations) {
  const { law, file, change } = mutation
  if (laws.length > 0 && !laws.includes(law)) continue
  const problems = await problemsOf(mutation)
  console.log(`${problems.length === 0 ? 'seen' : 'NOT SEEN'}: law ${law}, ${file}: ${change}`)
  for (const problem of problems) console.log(`  ${problem}`)
  if (problems.length > 0) unseen++
}
// Vitest has set it to 1, because tests failed.
process.exitCode = unseen === 0 ? 0 : 1

/**
 * Runs the tests of a mutation against the source with the fault. Returns what is wrong: a test is
 * missing, passes, or fails without an assertion.
 *
 * @param {import('./mutations.mjs').Mutation} mutation
 */
async function problemsOf(mutation) {
  const path = join(root, mutation.file)
  const faulty = mutate(mutation, readFileSync(path, 'utf8'))
  const plugin = {
    name: 'mutation',
    enforce: /** @type {const} */ ('pre'),
    load: (/** @type {string} */ id) => (id === path ? faulty : undefined),
  }
  const vitest = await startVitest(
    'test',
    [mutation.testFile],
    {
      root,
      watch: false,
      reporters: [{}],
      testNamePattern: new RegExp(mutation.titles.map(escapeRegExp).join('|')),
      // A fault may make a test wait forever.
      testTimeout: 60_000,
      // Only tests that start other processes need a build.
      globalSetup: [],
      // The cache would return the file of an earlier run.
      fsModuleCache: false,
    },
    { plugins: [plugin] },
  )
  const modules = vitest.state.getTestModules()
  const tests = modules.flatMap(({ children }) => [...children.allTests()])
  const problems = modules.flatMap((module) => module.errors().map(({ message }) => message))
  for (const title of mutation.titles) {
    const named = tests.filter(({ fullName }) => fullName.includes(title))
    if (named.length === 0) problems.push(`no test has "${title}" in its title`)
    problems.push(...named.flatMap(problemsOfTest))
  }
  await vitest.close()
  return problems
}

/** @param {string} text */
function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** @param {import('vitest/node').TestCase} test */
function problemsOfTest(test) {
  const { state, errors = [] } = test.result()
  if (state !== 'failed') return [`"${test.fullName}" ${state}`]
  return errors
    .filter(({ name }) => name !== 'AssertionError')
    .map(({ message }) => `"${test.fullName}" failed without an assertion: ${message}`)
}
