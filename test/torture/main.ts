// npm run torture -- --seed N --minutes M --storage disk|s3
import { parseArgs } from 'node:util'
import setup from '../support/setup.js'
import { torture } from './torture.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    storage: { type: 'string', default: 'disk' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9))
const minutes = Number(values.minutes)
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  throw new TypeError('--seed must be a whole number, and --minutes a number above 0')
}
const { storage } = values
if (storage !== 'disk' && storage !== 's3') throw new TypeError('--storage must be disk or s3')

console.log(`seed ${seed}, ${minutes} minutes, storage ${storage}`)
await setup()
const over = new AbortController()
const timer = setTimeout(() => over.abort(), minutes * 60_000)
process.once('SIGINT', () => over.abort())
const { violations, counts, home } = await torture(seed, over.signal, storage)
clearTimeout(timer)
const things = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
console.log(things.map(([what, count]) => `${what}: ${count}`).join('\n'))
if (violations.length > 0) {
  console.log(`${violations.length} violations, logs in ${home}:`)
  console.log(violations.slice(0, 20).join('\n'))
  process.exitCode = 1
}
