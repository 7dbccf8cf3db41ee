import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runProgram, startProgram, type RunOptions } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { slowUpload } from './uploads.js'

interface Finding {
  readonly outcome: 'ok' | 'warning' | 'failed'
  readonly check: string
  readonly text: string
  readonly advice?: string
}

/** Runs the command, and returns its findings by check. */
async function check(parameters: readonly string[], options: RunOptions) {
  const all = ['check', '--json', '--port', '0', ...parameters]
  const { code, output, errors } = await runProgram(all, options)
  const findings = output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Finding)
  const of = (name: string) => findings.filter((finding) => finding.check === name)
  return { code, errors, findings, of, only: (name: string) => of(name)[0]! }
}

/** Listens, and returns the port. */
async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

test('a right configuration passes, and nothing is left behind', async () => {
  const cwd = await temporaryDirectory()
  const { code, output, errors } = await runProgram(
    ['check', '--port', '0', '--expire-after', '7d'],
    { cwd },
  )
  expect(errors).toBe('')
  expect(output).not.toMatch(/^(warning|failed)/m)
  expect(output).toMatch(/^ok {7}data: wrote an upload to file:\.\/data and read it back\.$/m)
  expect(output).toMatch(/\n\d+ ok, 0 warning, 0 failed\n$/)
  expect(code).toBe(0)
  expect(await readdir(cwd)).toEqual([])
})

test('a running server is not disturbed', async () => {
  const cwd = await temporaryDirectory()
  const running = await startProgram(['--expire-after', '7d'], { cwd })
  const { id } = await slowUpload(running)
  const contents = async () => {
    const names = await readdir(join(cwd, 'data'))
    return [names.toSorted(), await readFile(join(cwd, 'data', id))]
  }
  const before = await contents()
  const { port } = new URL(running.url)
  const { code, only } = await check(['--port', port], { cwd })
  expect(only('address')).toMatchObject({ outcome: 'warning' })
  expect(only('address').text).toContain(`(process ${running.child.pid}), which serves tus uploads`)
  expect(only('data').outcome).toBe('ok')
  expect(code).toBe(0)
  expect(await contents()).toEqual(before)
  expect(running.log()).not.toMatch(/"level":"(warn|error)"/)
})

test('a mistake that several checks find is reported once', async () => {
  const { findings, of } = await check(['--base-path', '/a b'], { cwd: await temporaryDirectory() })
  expect(findings.filter(({ outcome }) => outcome === 'failed')).toEqual(of('options'))
  expect(of('options')).toHaveLength(1)
})

test('a directory that cannot be written is named, with advice', async () => {
  const cwd = await temporaryDirectory()
  await writeFile(join(cwd, 'data'), 'a file')
  const { code, only } = await check([], { cwd })
  expect(only('locks')).toMatchObject({ outcome: 'failed' })
  expect(only('locks').text).toContain('ENOTDIR')
  expect(only('locks').advice).toBe('A part of the path is a file. Correct the path.')
  expect(code).toBe(1)
})

test('the places of stores are shown without passwords', async () => {
  const cwd = await temporaryDirectory()
  await writeFile(
    join(cwd, 'plugin.mjs'),
    `import { MemoryInfoStore } from 'tuskit/memory-store'
    const refuse = () => Promise.reject(Object.assign(new Error('no entry'), { code: '28P01' }))
    const refuses = { open: refuse, close: async () => {} }
    export const plugin = {
      info: {
        ram: () => new MemoryInfoStore(),
        shut: () => ({ useIn: (composer) => composer.useLifecycle(refuses) }),
      },
    }`,
  )
  const at = (scheme: string) => [
    '--plugin',
    './plugin.mjs',
    '--info',
    `${scheme}://app:secret@db/a`,
  ]
  const { code, only } = await check(at('ram'), { cwd })
  expect(only('info').text).toBe('wrote a record to ram://***@db/a and read it back')
  expect(code).toBe(0)
  const refused = await check(at('shut'), { cwd })
  expect(refused.only('stores')).toEqual({
    outcome: 'failed',
    check: 'stores',
    text: 'file:./data, shut://***@db/a: no entry',
    advice: 'Correct the user or the password, in the URL or in the environment.',
  })
})

test.each([
  [['--data', 'file:'], 'settings', 'must name a directory'],
  [['--data', 's4:bucket'], 'stores', 'Did you mean s3:?'],
  [['--data', 'file:./data?mustExist=true'], 'locks', 'is not there: it has no file .tuskit'],
  [['--dir-structure', '{yaer}'], 'stores', 'Did you mean {year}?'],
  [['--base-path', '/a b'], 'options', 'basePath'],
  [['--cors', '*', '--cors-credentials'], 'cors', 'every page on the web'],
  [['--host', '203.0.113.1'], 'address', 'this machine does not have 203.0.113.1'],
  [['--tls-cert', 'nope.pem'], 'certificate', '--tls-cert needs --tls-key'],
  [['--tls-cert', 'nope.pem', '--tls-key', 'nope.key'], 'certificate', 'ENOENT'],
  [['--hooks-dir', './nope'], 'hook ./nope', 'ENOENT'],
])('%j fails the check of %s', async (parameters, name, text) => {
  const { code, only } = await check(parameters, { cwd: await temporaryDirectory() })
  expect(only(name)).toMatchObject({ outcome: 'failed', text: expect.stringContaining(text) })
  expect(code).toBe(1)
})

test('each backend of hooks gets a marked test event of each type', async () => {
  const cwd = await temporaryDirectory()
  const events: { Type: string; Event: { Upload: { ID: string } } }[] = []
  const port = await listen(
    http.createServer((request, response) => {
      void request.toArray().then((chunks) => {
        const event = JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as (typeof events)[0]
        events.push(event)
        const reject = event.Type === 'pre-create' && { RejectUpload: true }
        response.end(JSON.stringify({ ...reject }))
      })
    }),
  )
  await mkdir(join(cwd, 'hooks'))
  await writeFile(join(cwd, 'hooks', 'post-finish'), '#!/bin/sh\nexit 3\n')
  await chmod(join(cwd, 'hooks', 'post-finish'), 0o755)
  const url = `http://127.0.0.1:${port}/`
  const unused = `http://127.0.0.1:${await freedPort()}/`
  const hooks = ['--hooks-http', `${url},${unused}`, '--hooks-events', 'pre-create,post-finish']
  const { code, of, only, findings } = await check(
    [...hooks, '--hooks-dir', './hooks', '--hooks-http-attempts', '1'],
    { cwd },
  )
  expect(only(`hook ${url} pre-create`)).toMatchObject({ outcome: 'ok' })
  expect(only(`hook ${url} pre-create`).text).toMatch(/^reached: it rejected the test/)
  expect(only(`hook ${url} post-finish`)).toMatchObject({ outcome: 'ok' })
  expect(only(`hook ${unused} post-finish`)).toMatchObject({
    outcome: 'failed',
    text: expect.stringContaining('ECONNREFUSED'),
    advice: expect.stringContaining('Nothing listens there'),
  })
  // It has a program for one of the events only.
  expect(of('hook ./hooks')[0]?.text).toMatch(/pre-create must be an executable file/)
  expect(findings.filter(({ check }) => check.startsWith('hook '))).toHaveLength(5)
  expect(code).toBe(1)
  expect(events.map(({ Type }) => Type)).toEqual(['pre-create', 'post-finish'])
  for (const { Event } of events) expect(Event.Upload.ID).toMatch(/^check-[0-9a-f]{24}$/)
})

test('a program that fails is reported with its code', async () => {
  const cwd = await temporaryDirectory()
  await writeFile(join(cwd, 'hook'), '#!/bin/sh\n[ "$1" = post-finish ] && exit 3\nexit 0\n')
  await chmod(join(cwd, 'hook'), 0o755)
  const { of, code } = await check(['--hooks-program', './hook'], { cwd })
  expect(of('hook ./hook post-finish')).toMatchObject([
    { outcome: 'failed', text: 'The program for post-finish ended with 3' },
  ])
  expect(of('hook ./hook pre-create')).toMatchObject([{ outcome: 'ok' }])
  expect(code).toBe(1)
})

test('the outbox is tried, and events that were given up are counted', async () => {
  const cwd = await temporaryDirectory()
  const flags = ['--hooks-outbox', './outbox', '--hooks-program', '/bin/true']
  expect((await check(flags, { cwd })).only('outbox').text).toBe('./outbox can be created')
  expect(await readdir(cwd)).toEqual([])
  await mkdir(join(cwd, 'outbox', 'given-up'), { recursive: true })
  await writeFile(join(cwd, 'outbox', 'given-up', 'a.post-finish.json'), '{}')
  const { of } = await check(flags, { cwd })
  expect(of('outbox')).toMatchObject([{ outcome: 'ok' }, { outcome: 'warning' }])
  expect(await readdir(join(cwd, 'outbox'))).toEqual(['given-up'])
})

test('the certificate is read: its end, and whether the key matches', async () => {
  const cwd = await temporaryDirectory()
  for (const [name, days] of [
    ['long', '400'],
    ['short', '3'],
  ] as const) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', days]
    const options = ['-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=uploads.example.org']
    execFileSync('openssl', ['req', '-x509', ...options, ...files], { cwd, stdio: 'ignore' })
  }
  const certificate = async (cert: string, key: string) =>
    (await check(['--tls-cert', cert, '--tls-key', key], { cwd })).only('certificate')
  expect(await certificate('long.pem', 'long.key')).toMatchObject({
    outcome: 'ok',
    text: expect.stringMatching(/uploads\.example\.org, valid until \d{4}-\d\d-\d\d \(\d+ days\)/),
  })
  expect(await certificate('short.pem', 'short.key')).toMatchObject({ outcome: 'warning' })
  expect(await certificate('long.pem', 'short.key')).toMatchObject({
    outcome: 'failed',
    text: 'short.key is not the key of long.pem',
  })
  expect(await certificate('long.key', 'long.key')).toMatchObject({ outcome: 'failed' })
})

test('an address in use is reported with the program that uses it', async () => {
  const port = await listen(net.createServer((socket) => socket.destroy()))
  const { only, code } = await check(['--port', String(port)], { cwd: await temporaryDirectory() })
  expect(only('address')).toMatchObject({ outcome: 'failed' })
  expect(only('address').text).toContain(`(process ${process.pid})`)
  expect(code).toBe(1)
})

test('it is explained for which peers forwarding headers count', async () => {
  const cwd = await temporaryDirectory()
  const texts = async (...parameters: string[]) =>
    (await check(parameters, { cwd })).of('behind-proxy')
  expect(await texts()).toMatchObject([
    { outcome: 'ok', text: expect.stringContaining('Location is /files/<id>') },
  ])
  expect(await texts('--behind-proxy', '10.0.0.0/8')).toMatchObject([
    { outcome: 'ok', text: expect.stringMatching(/^from 10\.0\.0\.0\/8.*\/sample\/files\/<id>/) },
    { outcome: 'ok', text: expect.stringMatching(/^from 203\.0\.113\.7, Location is \/files/) },
    { outcome: 'ok' },
  ])
  expect(await texts('--behind-proxy', '0.0.0.0/0')).toMatchObject([
    { outcome: 'ok' },
    { outcome: 'warning', text: expect.stringContaining('the headers of every client count') },
    { outcome: 'ok' },
  ])
  expect(await texts('--behind-proxy', 'unix:', '--public-url', 'https://a.org/x')).toMatchObject([
    { text: expect.stringContaining('Location is https://a.org/x/<id>, because --public-url') },
    {},
    {},
    { outcome: 'warning', text: expect.stringContaining('unix: has no effect') },
  ])
})

/** Returns a port that nothing listens on. */
async function freedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
