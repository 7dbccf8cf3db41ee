// npm run bench -- --quick --only chunks,head --servers limit,tuskit
import { cp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import setup from '../support/setup.js'
import { bench, failed, type Plan } from './bench.js'
import { Content } from './content.js'
import { allContestants, checksumContestants, optionContestants } from './contestants.js'
import { checkPage, updatePage } from './documentation.js'
import { describeMachine } from './machine.js'
import { markdown } from './markdown.js'
import { parseOptions } from './options.js'
import { report } from './report.js'
import type { Result } from './results.js'
import { scratchDirectory } from './scratch-directory.js'
import { contentSize } from './sizes.js'
import { checksumOptions, optionWorkloads, workloads } from './workloads/workloads.js'

const names = [...workloads.map(({ name }) => name), 'options']
const options = parseOptions(process.argv.slice(2), names)
const { sizes, rounds, only, servers } = options
if (options.updateDocs) await checkPage()

await setup()
const home = await scratchDirectory(options.directory ?? tmpdir())
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

/** Copies builds of tuskit, in case another process builds meanwhile. */
async function copied(from: string, name: string): Promise<string> {
  const copy = join(home, name)
  await cp(from, copy, { recursive: true })
  await writeFile(join(copy, 'package.json'), '{ "type": "module" }')
  return copy
}

const build = await copied(fileURLToPath(new URL('../.dist', import.meta.url)), 'build')
const before = options.before && (await copied(options.before, 'before'))
const contestants = allContestants({ ...options, build, before }).filter(
  ({ name }) => servers?.includes(name) ?? true,
)
const plan: Plan = workloads
  .filter(({ name }) => only?.includes(name) ?? true)
  .map((workload) => [workload, contestants] as const)
const optionPlan: Plan = [
  ...optionWorkloads.map((workload) => [workload, optionContestants(build)] as const),
  [checksumOptions, checksumContestants(build)],
]

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
const results = await run(plan)
const ofOptions = only?.includes('options') === false ? [] : await run(optionPlan)

if (options.json) {
  const all = { date, machine, rounds, results, options: ofOptions }
  await writeFile(options.json, JSON.stringify(all, undefined, 2))
}
if (options.updateDocs) await updatePage(`${about}.\n\n${markdown(results, ofOptions)}`)
if (failed([...results, ...ofOptions])) process.exitCode = 1
