// npm run torture -- --seed N --minutes M --storage NAME --front NAME
import { parseArgs } from 'node:util'
import setup from '../support/setup.js'
import { fronts, storageKinds } from './plan.js'
import { torture } from './torture.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    storage: { type: 'string', default: 'disk' },
    front: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9))
const minutes = Number(values.minutes)
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  throw new TypeError('--seed must be a whole number, and --minutes a number above 0')
}
const storage = storageKinds.find((kind) => kind === values.storage)
if (storage === undefined) {
  throw new TypeError(`--storage must be one of ${storageKinds.join(', ')}`)
}
const front = fronts.find((name) => name === values.front)
if (front === undefined && values.front !== undefined) {
  throw new TypeError(`--front must be one of ${fronts.join(', ')}`)
}

console.log(
  `seed ${seed}, ${minutes} minutes, storage ${storage}${front ? ` behind ${front}` : ''}`,
)
await setup()
const over = new AbortController()
const timer = setTimeout(() => over.abort(), minutes * 60_000)
process.once('SIGINT', () => over.abort())
const { violations, counts, home } = await torture(seed, over.signal, storage, front)
clearTimeout(timer)
const things = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
console.log(things.map(([what, count]) => `${what}: ${count}`).join('\n'))
if (violations.length > 0) {
  console.log(`${violations.length} violations, logs in ${home}:`)
  console.log(violations.slice(0, 20).join('\n'))
  process.exitCode = 1
}
