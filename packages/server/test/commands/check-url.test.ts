import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { nginx } from '../../../../test/proxies/nginx.js'
import { replaceAll } from '../../../../test/proxies/proxy.js'
import { startProxy } from '../../../../test/proxies/start-proxy.js'
import { createCertificate } from '../../../../test/support/certificate.js'
import { listen, temporaryDirectory } from '../../../../test/support/serve.js'
import { program, runProgram, startProgram } from '../program.js'

const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href

interface Finding {
  readonly outcome: 'ok' | 'warning' | 'failed'
  readonly check: string
  readonly text: string
}

/** Checks a server through an nginx whose configuration has other lines. */
async function through(
  changes: Parameters<typeof replaceAll>[1],
  { flags = [], path = '/files' }: { flags?: readonly string[]; path?: string } = {},
) {
  const cwd = await temporaryDirectory()
  const { url } = await startProgram(flags, { cwd })
  const site = await startProxy(nginx, Number(new URL(url).port), (text) =>
    replaceAll(text, changes),
  )
  return checked(`${site.http}${path}/`, cwd)
}

/** Adds a line to the configuration. */
function added(line: string): Parameters<typeof replaceAll>[1] {
  return [['  location / {', `  location / {\n${line}`]]
}

/** Checks a server. Returns the findings, and what is left in the store. */
async function checked(url: string, cwd: string, flags: readonly string[] = []) {
  const parameters = ['check', '--json', '--duration', '1s', '--url', url, ...flags]
  const { code, output, errors } = await runProgram(parameters, { cwd })
  expect(errors).toBe('')
  const findings = output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Finding)
  const names = await readdir(join(cwd, 'data')).catch(() => [])
  const left = names.filter((name) => !['.tuskit', '.locks'].includes(name))
  const wrong = findings.filter(({ outcome }) => outcome !== 'ok').map(({ check }) => check)
  return { code, cwd, findings, left, wrong }
}

test('the server itself meets all demands', async () => {
  const cwd = await temporaryDirectory()
  const { url } = await startProgram(['--interim-responses'], { cwd })
  const { code, findings, left } = await checked(url, cwd)
  expect(findings.filter(({ outcome }) => outcome !== 'ok')).toEqual([])
  expect(findings.map(({ text }) => text)).toContain('104 responses pass')
  expect(code).toBe(0)
  expect(left).toEqual([])
})

test('over HTTPS, the server meets all demands, and its certificate counts', async () => {
  const cwd = await temporaryDirectory()
  const { key, cert } = createCertificate()
  await writeFile(join(cwd, 'key.pem'), key)
  await writeFile(join(cwd, 'cert.pem'), cert)
  const flags = ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem', '--cors', 'https://a.example']
  const { url } = await startProgram(flags, { cwd })
  const { port } = new URL(url)
  const parameters = ['check', '--duration', '1s', '--url', `https://localhost:${port}/files`]
  const refused = await runProgram(parameters, { cwd })
  expect(refused.code).toBe(1)
  expect(refused.output).toMatch(
    /^failed {3}reachable: the certificate is refused: DEPTH_ZERO_SELF/,
  )
  const trusted = { cwd, env: { NODE_EXTRA_CA_CERTS: join(cwd, 'cert.pem') } }
  const { code, output } = await runProgram([...parameters, '--cors', 'https://a.example'], trusted)
  expect(output).not.toMatch(/^(warning|failed)/m)
  expect(output).toContain('cors: pages of https://a.example may upload.\n')
  expect(code).toBe(0)
})

test('an interruption removes the uploads of the check', async () => {
  const cwd = await temporaryDirectory()
  const { url } = await startProgram([], { cwd })
  // Longer than the test has time.
  const flags = ['check', '--duration', '24d', '--url', url]
  const child = spawn(process.execPath, ['--import', preload, program, ...flags], { cwd })
  const exited = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ok       cache')) child.kill('SIGINT')
    else if (line.includes('DELETE')) expect(line).toMatch(/^ok .+: removed \d uploads? of/)
  }
  expect(await exited).toEqual([1, null])
  expect((await readdir(join(cwd, 'data'))).toSorted()).toEqual(['.locks', '.tuskit'])
})

test.each([
  ['CORS headers of its own', added('add_header Access-Control-Allow-Origin * always;'), ['cors']],
  [
    'compression',
    [['gzip off;', 'gzip on; gzip_types text/plain; gzip_proxied any; gzip_http_version 1.0;']],
    ['compression'],
  ],
  ['no DELETE', added('if ($request_method = DELETE) { return 405; }'), ['DELETE']],
  ['no PATCH', added('if ($request_method = PATCH) { return 405; }'), ['PATCH']],
  ['no Range', added('proxy_set_header Range "";'), ['ranges']],
] as const)('an nginx with %s is found out', async (_, changes, expected) => {
  const { wrong, left, code, findings } = await through(changes)
  expect(wrong).toEqual(expected)
  expect(left).toEqual([])
  expect(code).toBe(findings.some(({ outcome }) => outcome === 'failed') ? 1 : 0)
})

test('a slow request that is cut is found out', async () => {
  const cwd = await temporaryDirectory()
  const { url } = await startProgram([], { cwd })
  // Cuts all bodies of a certain size, however little time they take.
  const proxy = http.createServer({ maxHeaderSize: 100_000 }, (request, response) => {
    const { hostname, port } = new URL(url)
    const { url: path, method, headers } = request
    const forwarded = http.request(
      { ...{ hostname, port, path, method, headers }, maxHeaderSize: 100_000 },
      (reply) => {
        response.writeHead(reply.statusCode!, reply.headers)
        reply.pipe(response)
      },
    )
    let size = 0
    request.on('data', (data: Buffer) => {
      size += data.length
      if (size > 150_000) request.destroy()
    })
    forwarded.on('error', () => response.destroy())
    request.on('error', () => forwarded.destroy())
    request.pipe(forwarded)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close().closeAllConnections())
  const { port } = proxy.address() as AddressInfo
  const { wrong, left } = await checked(`http://127.0.0.1:${port}/files/`, cwd)
  expect(wrong).toEqual(['slow'])
  expect(left).toEqual([])
})

test('a removed prefix is found out, and the uploads are removed all the same', async () => {
  const changes = [
    ['  location / {', '  location /app/ {'],
    ['proxy_pass http://tuskit;', 'proxy_pass http://tuskit/;'],
  ] as const
  const { wrong, left, code } = await through(changes, { path: '/app/files' })
  expect(wrong).toEqual(['location'])
  expect(left).toEqual([])
  expect(code).toBe(1)
})

test('a wrong --public-url is found out', async () => {
  const flags = ['--public-url', 'https://elsewhere.example/files']
  const { wrong, left } = await through([], { flags })
  expect(wrong).toEqual(['location'])
  expect(left).toEqual([])
})

test('a cache that ignores Cache-Control is found out', async () => {
  const { wrong, left } = await through([
    ['\nserver {', '\nproxy_cache_path /var/cache/nginx keys_zone=all:1m;\nserver {'],
    [
      'proxy_buffering off;',
      'proxy_cache all; proxy_cache_valid any 1h; proxy_ignore_headers Cache-Control;',
    ],
  ])
  expect(wrong).toContain('cache')
  expect(left).toEqual([])
})

test('104 responses that nginx takes for final ones are found out', async () => {
  const { wrong, left } = await through([], { flags: ['--interim-responses'] })
  expect(wrong).toEqual(['interim responses'])
  expect(left).toEqual([])
})

test('a final response that nginx loses because of a 104 is found out', async () => {
  const { findings, wrong, left, cwd } = await through(
    [
      ['proxy_request_buffering off;', ''],
      ['proxy_buffering off;', ''],
    ],
    { flags: ['--interim-responses'] },
  )
  expect(wrong).toEqual(['streaming', 'interruption', 'interim responses'])
  const { text } = findings.find(({ check }) => check === 'interim responses')!
  expect(text).toContain('An upload may be left, which tuskit ls --name tuskit-check shows')
  const { output } = await runProgram(['ls', '--json', '--name', 'tuskit-check'], { cwd })
  const { id } = JSON.parse(output) as { id: string }
  expect(left.toSorted()).toEqual([`.${id}.info`, id])
})

test('a site that is no tus server is found out', async () => {
  const server = http.createServer((_, response) => void response.writeHead(404).end())
  onTestFinished(() => void server.close().closeAllConnections())
  const url = `http://127.0.0.1:${await listen(server)}/files/`
  const { findings, code } = await checked(url, await temporaryDirectory())
  expect(findings).toMatchObject([{ outcome: 'failed', check: 'reachable' }])
  expect(code).toBe(1)
})

test.each([
  [['--url', 'example.org'], '--url must be a URL such as'],
  [['--url', 'http://a.org', '--header', 'nonsense'], '--header must be a name'],
  [['--url', 'http://a.org', '--duration', '20'], '--duration must be a time with its unit'],
])('%j is refused', async (flags, message) => {
  const { code, errors } = await runProgram(['check', ...flags])
  expect(errors).toContain(message)
  expect(code).toBe(2)
})
