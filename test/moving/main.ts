// npm run moving -- --rustus PATH --tusd PATH
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { adoptMany } from './adopt-many.js'
import { move } from './move.js'
import { fromRustus, fromTusd, fromTusNode } from './moves.js'

const { values } = parseArgs({
  options: {
    tusd: { type: 'string' },
    rustus: { type: 'string' },
    uploads: { type: 'string', default: '100000' },
  },
})

console.log(await move(fromTusNode()))
console.log(await move(fromTusd(values.tusd ?? installedTusd())))
if (values.rustus === undefined) console.log('Rustus: not moved from; name its program: --rustus')
else console.log(await move(fromRustus(values.rustus)))
console.log(await adoptMany(Number(values.uploads)))

/** Builds tusd with Go, which keeps what it has downloaded. */
function installedTusd(): string {
  const folder = fileURLToPath(new URL('bin/', import.meta.url))
  execFileSync('go', ['install', 'github.com/tus/tusd/v2/cmd/tusd@v2.10.0'], {
    env: { ...process.env, GOBIN: folder },
    stdio: 'inherit',
  })
  return `${folder}tusd`
}
