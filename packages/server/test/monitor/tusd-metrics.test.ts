import { expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import { HttpHooks } from 'tuskit/http-hooks'
import { HookServer, json } from '../../../../test/support/hook-server.js'
import {
  createUpload,
  head,
  patch,
  post,
  remove,
  send,
  temporaryDirectory,
  tus,
  until,
} from '../../../../test/support/serve.js'
import { silent } from '../../../../test/support/silent.js'
import type { WorkerReport } from '../../src/monitor/worker-report.js'
import recorded from './recorded/metrics.json' with { type: 'json' }
import { watch, type WatchedOptions, type WatchedSite } from './watched-site.js'

/** A sample that moves, in one line: its name, its labels and by how much. */
type Move = string

const recordedMoves = recorded.steps.map(({ step, moved }): [string, Move[]] => [
  step,
  moved.map(({ name, labels, by }) => line(name, labels, by)).toSorted(),
])

/** A deliberate difference: the samples that do not move here, those that do, and why. */
interface Difference {
  readonly why: string
  /** In which steps. In all steps if absent. */
  readonly steps?: readonly string[]
  readonly not?: readonly string[]
  readonly but?: readonly Move[]
}

const differences: readonly Difference[] = [
  {
    why: 'post-receive runs at intervals while bytes come, not at the end of every request',
    not: ['tusd_hook_invocations_total hooktype=post-receive'],
  },
  {
    why: 'hooks for the end of an upload do not run for partial uploads, which are no files yet',
    steps: ['two whole partial uploads'],
    not: [
      'tusd_hook_invocations_total hooktype=pre-finish',
      'tusd_hook_invocations_total hooktype=post-finish',
    ],
  },
  {
    why: 'codes of errors are those of this server, the same as in its responses',
    steps: ['POST without a length'],
    not: ['tusd_errors_total'],
    but: ['tusd_errors_total code=ERR_MISSING_LENGTH status=400 1'],
  },
  {
    why: 'codes of errors are those of this server, the same as in its responses',
    steps: ['PATCH at a wrong offset'],
    not: ['tusd_errors_total'],
    but: ['tusd_errors_total code=ERR_OFFSET_MISMATCH status=409 1'],
  },
  {
    why: 'codes of errors are those of this server, the same as in its responses',
    steps: ['POST that the hook rejects'],
    not: ['tusd_errors_total'],
    but: ['tusd_errors_total code=ERR_REJECTED status=403 1'],
  },
  {
    why: 'a hook that cannot be reached is no internal error: the client may try again',
    steps: ['POST while the hook fails'],
    not: ['tusd_errors_total'],
    but: ['tusd_errors_total code=ERR_HOOK_UNAVAILABLE status=503 1'],
  },
  {
    why: 'clients of the IETF draft create uploads with PUT, too; and every error counts',
    steps: ['PUT'],
    but: [
      'tusd_errors_total code=ERR_METHOD_NOT_ALLOWED status=405 1',
      'tusd_requests_total method=PUT 1',
    ],
  },
  {
    why: 'every error counts, but not the names of methods that clients invent',
    steps: ['BREW'],
    but: ['tusd_errors_total code=ERR_METHOD_NOT_ALLOWED status=405 1'],
  },
]

/** The moves that are right here. */
const expectedMoves = recordedMoves.map(([step, moved]): [string, readonly Move[]] => {
  const applied = differences.filter(({ steps = [step] }) => steps.includes(step))
  const stay = moved.filter(
    (one) => !applied.some(({ not }) => not?.some((n) => one.startsWith(n))),
  )
  return [step, [...stay, ...applied.flatMap(({ but = [] }) => but)].toSorted()]
})

const events = [
  ...(['pre-create', 'post-create', 'post-receive'] as const),
  ...(['pre-finish', 'post-finish', 'pre-terminate', 'post-terminate'] as const),
]

/** Options with stores and locks in files. */
async function inFiles(): Promise<WatchedOptions> {
  const directory = await temporaryDirectory()
  const parts = [FileStore, FileInfoStore, FileLocker].map((Part) => new Part({ directory }))
  return { composer: new StoreComposer().use(...parts), logger: silent }
}

test('the requests of a recording move the samples that they move in tusd', async () => {
  const server = await HookServer.start()
  const hooks = new HttpHooks({ url: server.url, events, attempts: 1 })
  const site = await watch({ ...(await inFiles()), hooks, progressInterval: 600_000 })
  let number = 0
  const seen: [string, readonly Move[]][] = []
  let before = await site.report()
  await drive(site, server, async (step, act) => {
    const calls = hookCalls(expectedMoves[number++]![1])
    await act()
    // Hooks that report run after the response.
    const after = await until(site.report, (now) => hookCalls(moves(before, now)) >= calls)
    seen.push([step, moves(before, after)])
    before = after
  })
  expect(seen).toEqual(expectedMoves)
})

test('each difference from tusd is one', () => {
  for (const { why, steps, not = [], but = [] } of differences) {
    const moved = recordedMoves.flatMap(([step, all]) =>
      (steps ?? [step]).includes(step) ? all : [],
    )
    for (const name of not)
      expect(
        moved.filter((one) => one.startsWith(name)),
        why,
      ).not.toEqual([])
    for (const one of but) expect(moved, why).not.toContain(one)
  }
})

test('without hooks, uploads count the same, and finishing them costs no write', async () => {
  const site = await watch(await inFiles())
  const ofUploads = (all: readonly Move[]) => all.filter((one) => one.startsWith('tusd_uploads'))
  const expected = recordedMoves.map(([step, moved]) => [step, ofUploads(moved)])
  const seen: [string, readonly Move[]][] = []
  let before = await site.report()
  await drive(site, undefined, async (step, act) => {
    await act()
    const after = await site.report()
    seen.push([step, ofUploads(moves(before, after))])
    before = after
  })
  expect(seen).toEqual(expected.slice(0, seen.length))
  // Three tombstones, two notes of the final upload in its partials, and its end.
  expect((await site.values('tuskit_store_seconds'))['infoStore.update']).toBe(6)
})

test('before the first request there are the samples of tusd', async () => {
  const { metrics } = await (await watch()).report()
  const samples = metrics
    .filter(({ name }) => name.startsWith('tusd_') && name !== 'tusd_connections_open')
    .flatMap(({ name, values }) => values.map(({ labels, value }) => line(name, labels, value)))
  const expected = recorded.samples.map(({ name, labels, value }) => line(name, labels, value))
  expect(samples.toSorted()).toEqual(expected.toSorted())
})

test('names, types and labels are those of tusd', async () => {
  const site = await watch()
  await head(`${site.origin}/files/unknown`)
  const { metrics } = await site.report()
  const described = (name: string) => {
    const metric = metrics.find((one) => one.name === name)
    const labels = metric?.values.flatMap(({ labels }) => Object.keys(labels)) ?? []
    return metric && { name, type: String(metric.type), labels: [...new Set(labels)].toSorted() }
  }
  const missing = recorded.metrics.filter(({ name }) => described(name) === undefined)
  // prom-client does not read these from the operating system.
  expect(missing.map(({ name }) => name)).toEqual([
    'process_network_receive_bytes_total',
    'process_network_transmit_bytes_total',
    'process_virtual_memory_max_bytes',
  ])
  const found = recorded.metrics.filter((metric) => !missing.includes(metric))
  expect(found.map(({ name }) => described(name))).toEqual(found)
})

/** Sends the requests of the recording. Without hooks, those that need them are left out. */
async function drive(
  site: WatchedSite,
  hooks: HookServer | undefined,
  step: (name: string, act: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { origin } = site
  const whole = (size: number, headers = {}) =>
    post(site, { 'upload-length': String(size), ...headers }, Buffer.alloc(size, 'a'))
  const sendTo = (method: string, url: string, headers = {}) =>
    send({ method, url, headers: { ...tus, ...headers } })
  const partial = { 'upload-concat': 'partial' }
  let url = ''
  const parts: string[] = []
  await step('OPTIONS', () => sendTo('OPTIONS', `${origin}/files/`))
  await step('POST', async () => (url = await createUpload(site, { 'upload-length': '20' })))
  await step('HEAD', () => head(url))
  await step('PATCH of a half', () => patch(url, 0, 'abcdefghij'))
  await step('PATCH of the other half', () => patch(url, 10, 'abcdefghij'))
  await step('PATCH of a finished upload', () => patch(url, 20, ''))
  await step('GET', () => sendTo('GET', url))
  await step('DELETE of the finished upload', () => remove(url))
  await step('POST with the whole upload', () => whole(20))
  await step('POST of an empty upload', () => createUpload(site, { 'upload-length': '0' }))
  await step('POST with a deferred length', async () => {
    url = await createUpload(site, { 'upload-defer-length': '1' })
  })
  await step('DELETE of the unfinished upload', () => remove(url))
  await step('two whole partial uploads', async () => {
    for (const _ of [1, 2]) parts.push((await whole(10, partial)).headers.location!)
  })
  await step('the final upload', () =>
    createUpload(site, { 'upload-concat': `final;${parts.join(' ')}` }),
  )
  const part = origin + parts[0]!
  await step('HEAD of an unknown upload', () => head(`${origin}/files/unknown`))
  await step('POST of another version', () =>
    sendTo('POST', `${origin}/files`, { 'upload-length': '1', 'tus-resumable': '2' }),
  )
  await step('POST without a length', () => sendTo('POST', `${origin}/files`))
  await step('PATCH at a wrong offset', () => patch(part, 3, 'a'))
  await step('PUT', () => sendTo('PUT', part))
  await step('BREW', () => sendTo('PROPFIND', part))
  await step('POST with X-HTTP-Method-Override: DELETE', () =>
    sendTo('POST', part, { 'x-http-method-override': 'DELETE' }),
  )
  await step('GET of /', () => sendTo('GET', origin))
  if (hooks === undefined) return
  const rejected = json({ RejectUpload: true, HTTPResponse: { StatusCode: 403 } })
  await step('POST that the hook rejects', () => {
    hooks.respond = rejected
    return post(site, { 'upload-length': '10' })
  })
  await step('POST while the hook fails', () => {
    hooks.respond = json({}, 500)
    return post(site, { 'upload-length': '10' })
  })
}

/** Returns the samples of tusd's own metrics that moved between two reports. */
function moves(before: WorkerReport, after: WorkerReport): Move[] {
  const samples = ({ metrics }: WorkerReport) =>
    metrics
      .filter(({ name }) => name.startsWith('tusd_') && name !== 'tusd_connections_open')
      .flatMap(({ name, values }) =>
        values.map(({ labels, value }) => ({ name, labels, value, key: line(name, labels, 0) })),
      )
  const old = new Map(samples(before).map(({ key, value }) => [key, value]))
  return samples(after)
    .map(({ name, labels, value, key }) => ({ name, labels, by: value - (old.get(key) ?? 0) }))
    .filter(({ by }) => by !== 0)
    .map(({ name, labels, by }) => line(name, labels, by))
    .toSorted()
}

function hookCalls(all: readonly Move[]): number {
  return all
    .filter((one) => one.startsWith('tusd_hook_invocations_total'))
    .reduce((sum, one) => sum + Number(one.split(' ').at(-1)), 0)
}

function line(name: string, labels: object, by: number): Move {
  return [name, ...Object.entries(labels).map(([key, value]) => `${key}=${value}`), by].join(' ')
}
