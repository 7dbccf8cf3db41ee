// Runs the suite over node:sqlite, with the test runner of this version of Node.
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { runSuite } from '../suite.mjs'

runSuite({
  test: (name, run, timeout) => test(name, { timeout }, run),
  connect: (path) => new DatabaseSync(path),
})
