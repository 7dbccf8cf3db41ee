// npm run bench -- --quick --only chunks,head --servers limit,tuskit
import { cp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import setup from '../support/setup.js'
import { bench, failed, type Plan } from './bench.js'
import { Content } from './content.js'
import {
  allContestants,
  checksumContestants,
  databaseContestants,
  optionContestants,
  s3Contestants,
  type Contestant,
} from './contestants.js'
import { DatabasePlace } from './database-place.js'
import { checkPage, updatePage } from './documentation.js'
import { describeMachine } from './machine.js'
import { markdown } from './markdown.js'
import { parseOptions } from './options.js'
import { report } from './report.js'
import type { Result } from './results.js'
import { S3Place } from './s3-place.js'
import { scratchDirectory } from './scratch-directory.js'
import { contentSize } from './sizes.js'
import type { Workload } from './workload.js'
import { databaseNames, databaseWorkloads } from './workloads/databases.js'
import { s3Names, s3Workloads } from './workloads/s3.js'
import { checksumOptions, optionWorkloads, workloads } from './workloads/workloads.js'

const options = parseOptions(process.argv.slice(2), {
  servers: [...workloads.map(({ name }) => name), 'options'],
  s3: s3Names,
  databases: databaseNames,
})
const { subject, sizes, rounds, only, servers } = options
const section = subject === 'servers' ? 'bench' : (`bench-${subject}` as const)
if (options.updateDocs) await checkPage(section)

await setup()
const home = await scratchDirectory(options.directory ?? tmpdir())
const s3 = subject === 's3' ? await S3Place.create() : undefined
const databases = subject === 'databases' ? await DatabasePlace.create() : undefined
process.once('SIGINT', () => void end(130))
process.once('SIGTERM', () => void end(143))

async function close(): Promise<void> {
  await s3?.close()
  await databases?.close()
}

async function end(code: number): Promise<never> {
  await close()
  process.exit(code)
}

/** Copies builds of tuskit, in case another process builds meanwhile. */
async function copied(from: string, name: string): Promise<string> {
  const copy = join(home, name)
  await cp(from, copy, { recursive: true })
  await writeFile(join(copy, 'package.json'), '{ "type": "module" }')
  return copy
}

/** Returns what runs with all servers, and what runs with options of tuskit. */
async function plans(): Promise<readonly [all: Plan, ofOptions: Plan]> {
  const dist = fileURLToPath(new URL('../.dist', import.meta.url))
  if (s3 !== undefined) {
    const { before } = options
    return [planOf(s3Workloads(s3), s3Contestants(s3, { build: dist, before })), []]
  }
  if (databases !== undefined) {
    return [planOf(databaseWorkloads(databases), databaseContestants(databases, dist)), []]
  }
  const build = await copied(dist, 'build')
  const before = options.before && (await copied(options.before, 'before'))
  const ofOptions = [
    ...optionWorkloads.map((workload) => [workload, optionContestants(build)] as const),
    [checksumOptions, checksumContestants(build)] as const,
  ]
  const all = planOf(workloads, allContestants({ ...options, build, before }))
  return [all, only?.includes('options') === false ? [] : ofOptions]
}

function planOf(all: readonly Workload[], contestants: readonly Contestant[]): Plan {
  const taking = contestants.filter(({ name }) => servers?.includes(name) ?? true)
  return all
    .filter(({ name }) => only?.includes(name) ?? true)
    .map((workload) => [workload, taking] as const)
}

const machine = describeMachine(home)
const date = new Date().toISOString().slice(0, 10)
const about = `${date}, ${rounds} rounds, ${machine}`
console.log(`${about}\n`)

const content = new Content(contentSize(sizes))
let started = performance.now()
const onResult = (result: Result) => {
  const seconds = (performance.now() - started) / 1000
  started = performance.now()
  console.log(`${report(result)}\n(${seconds.toFixed(0)} s)\n`)
}
const run = (part: Plan) => bench(part, { content, sizes, rounds, directory: home }, onResult)
try {
  const [plan, optionPlan] = await plans()
  const results = await run(plan)
  const ofOptions = await run(optionPlan)

  if (options.json) {
    const all = { date, machine, rounds, results, options: ofOptions }
    await writeFile(options.json, JSON.stringify(all, undefined, 2))
  }
  if (options.updateDocs) await updatePage(`${about}.\n\n${markdown(results, ofOptions)}`, section)
  if (failed([...results, ...ofOptions])) process.exitCode = 1
} finally {
  await close()
}
