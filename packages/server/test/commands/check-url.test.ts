import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { ensureNginx, startNginx } from '../../../../test/interop/nginx.js'
import { createCertificate } from '../../../../test/support/certificate.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { program, runProgram, startProgram } from '../program.js'

const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href

interface Finding {
  readonly outcome: 'ok' | 'warning' | 'failed'
  readonly check: string
  readonly text: string
}

beforeAll(ensureNginx)

/** The configuration of docs/behind-proxies.md, in parts that a test can replace. */
const good = {
  buffers: 'large_client_header_buffers 4 64k;',
  version: 'proxy_http_version 1.1; proxy_set_header Connection "";',
  buffering: 'proxy_request_buffering off; proxy_buffering off;',
  sizes: 'proxy_buffer_size 72k; proxy_buffers 4 72k;',
  limit: 'client_max_body_size 0;',
  headers: 'proxy_set_header Host $http_host;',
  more: '',
}

/** Checks a server through an nginx. Returns the findings, and what is left in the store. */
async function through(
  changed: Partial<typeof good>,
  {
    flags = [],
    path = '/files',
    target = '',
    top = '',
    checkFlags = [],
  }: {
    readonly flags?: readonly string[]
    readonly path?: string
    readonly target?: string
    readonly top?: string
    readonly checkFlags?: readonly string[]
  } = {},
) {
  const cwd = await temporaryDirectory()
  const running = await startProgram(flags, { cwd })
  const { host } = new URL(running.url)
  const { buffers, ...rest } = { ...good, ...changed }
  const origin = await startNginx(
    (port) => `${top}
  server {
    listen 127.0.0.1:${port};
    ${buffers}
    location ${path} {
      proxy_pass http://${host}${target};
      ${Object.values(rest).join('\n      ')}
    }
  }`,
  )
  return checked(`${origin}${path}/`, cwd, checkFlags)
}

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

test('the documented configuration of nginx meets all demands', async () => {
  const { code, findings, left } = await through({})
  expect(findings.filter(({ outcome }) => outcome !== 'ok')).toEqual([])
  expect(findings.map(({ check }) => check)).toEqual([
    ...['reachable', 'creation', 'location', 'HEAD', 'PATCH', 'cache', 'streaming', 'slow'],
    ...['interruption', 'size', 'headers', 'download', 'ranges', 'cors', 'interim responses'],
    'DELETE',
  ])
  expect(code).toBe(0)
  expect(left).toEqual([])
})

test.each([
  ['request buffering', { buffering: 'proxy_buffering off;' }, ['streaming', 'interruption']],
  ['a body limit', { limit: 'client_max_body_size 1m;' }, ['size']],
  ['small buffers for response headers', { sizes: '' }, ['headers']],
  ['small buffers for request headers', { buffers: '' }, ['headers']],
  [
    'CORS headers of its own',
    { more: 'add_header Access-Control-Allow-Origin * always;' },
    ['cors'],
  ],
  [
    'compression',
    { more: 'gzip on; gzip_types text/plain; gzip_proxied any; gzip_http_version 1.0;' },
    ['compression'],
  ],
  ['no DELETE', { more: 'if ($request_method = DELETE) { return 405; }' }, ['DELETE']],
  ['no PATCH', { more: 'if ($request_method = PATCH) { return 405; }' }, ['PATCH']],
  ['no Range', { more: 'proxy_set_header Range "";' }, ['ranges']],
])('an nginx with %s is found out', async (_, changed, expected) => {
  const { wrong, left, code, findings } = await through(changed)
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
  const { wrong, left, code } = await through({}, { path: '/app/files', target: '/files' })
  expect(wrong).toEqual(['location'])
  expect(left).toEqual([])
  expect(code).toBe(1)
})

test('a removed prefix is right if the server knows it', async () => {
  const { wrong } = await through(
    { more: 'proxy_set_header X-Forwarded-Prefix /app;' },
    { path: '/app/files', target: '/files', flags: ['--behind-proxy', '127.0.0.1'] },
  )
  expect(wrong).toEqual([])
})

test('a wrong --public-url is found out', async () => {
  const flags = ['--public-url', 'https://elsewhere.example/files']
  const { wrong, left } = await through({}, { flags })
  expect(wrong).toEqual(['location'])
  expect(left).toEqual([])
})

test('a cache that ignores Cache-Control is found out', async () => {
  const { wrong, left } = await through(
    {
      buffering: 'proxy_request_buffering off;',
      more: 'proxy_cache all; proxy_cache_valid any 1h; proxy_ignore_headers Cache-Control;',
    },
    { top: 'proxy_cache_path cache keys_zone=all:1m;' },
  )
  expect(wrong).toContain('cache')
  expect(left).toEqual([])
})

test('104 responses that nginx takes for final ones are found out', async () => {
  const { wrong, left } = await through({}, { flags: ['--interim-responses'] })
  expect(wrong).toEqual(['interim responses'])
  expect(left).toEqual([])
})

test('a final response that nginx loses because of a 104 is found out', async () => {
  const { findings, wrong, left, cwd } = await through(
    { buffering: '' },
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
  const origin = await startNginx((port) => `server { listen 127.0.0.1:${port}; }`)
  const { findings, code } = await checked(`${origin}/files/`, await temporaryDirectory())
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
