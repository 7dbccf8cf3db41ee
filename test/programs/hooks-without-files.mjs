// Runs a hook when no file can be opened, and again when files can be. Prints what comes of it.
import { closeSync, openSync } from 'node:fs'
import { ExecHooks } from '../.dist/exec-hooks.js'

const [program] = process.argv.slice(2)
const hooks = new ExecHooks({ program })
const call = { event: { type: 'pre-create', id: 'a/pre-create' }, offset: 0 }
const { signal } = new AbortController()
const open = []
try {
  for (;;) open.push(openSync('/dev/null'))
} catch {
  // No more can be opened.
}
const error = await hooks.call(call, { signal }).catch((failed) => failed)
for (const file of open) closeSync(file)
console.log(error.code, error.cause.code)
console.log(JSON.stringify(await hooks.call(call, { signal })))
