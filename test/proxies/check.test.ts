import { describe, expect, test } from 'vitest'
import { runProgram, startProgram } from '../../packages/server/test/program.js'
import { temporaryDirectory } from '../support/serve.js'
import { apache } from './apache.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'
import { replaceAll, type Proxy } from './proxy.js'
import { proxies } from './launch-proxy.js'
import { startProxy } from './start-proxy.js'

describe.each(proxies)('$name', (proxy) => {
  test.each(['http', 'https'] as const)('meets all demands over %s', async (scheme) => {
    const { code, lines } = await checkThrough(proxy, scheme)
    expect(lines.filter((line) => !line.startsWith('ok '))).toEqual(['16 ok, 0 warning, 0 failed'])
    expect(lines).toContain('ok       cors: pages of https://page.example may upload.')
    expect(lines).toContain('ok       headers: metadata of 60.0 kB passes.')
    expect(code).toBe(0)
  })
})

test.each<Needed>([
  { proxy: nginx, line: 'proxy_request_buffering off;', fails: ['streaming', 'interruption'] },
  { proxy: nginx, line: 'client_max_body_size 0;', fails: ['size'] },
  { proxy: nginx, line: 'large_client_header_buffers 4 64k;', fails: ['headers'] },
  { proxy: nginx, line: 'proxy_buffer_size 72k;\n    proxy_buffers 4 72k;', fails: ['headers'] },
  {
    proxy: apache,
    line: 'RequestReadTimeout body=0',
    // Debian's limit, but in less time.
    instead: 'RequestReadTimeout body=1,minrate=1000000',
    fails: ['slow'],
  },
  { proxy: apache, line: ' responsefieldsize=65536', fails: ['headers'] },
  { proxy: apache, line: 'SetEnv no-gzip 1', fails: ['compression'] },
  { proxy: haproxy, line: 'tune.bufsize 81920', fails: ['headers'] },
])('$proxy.name needs: $line', async ({ proxy, line, instead = '', fails }) => {
  const edit = (text: string) => replaceAll(text, [[line, instead]])
  const { lines } = await checkThrough(proxy, 'http', edit)
  const checks = lines.map((text) => /^(?:failed|warning) +([^:]+): /.exec(text)?.[1])
  // On a busy machine, a limit on time may fail more of them.
  expect(checks).toEqual(expect.arrayContaining([...fails]))
})

/** A line of a configuration without which a check fails. */
interface Needed {
  readonly proxy: Proxy
  readonly line: string
  readonly instead?: string
  readonly fails: readonly string[]
}

/** Runs `tuskit check --url` through a proxy, and returns the lines of its output. */
async function checkThrough(
  proxy: Proxy,
  scheme: 'http' | 'https',
  edit?: (configuration: string) => string,
) {
  const cors = ['--cors', 'https://page.example']
  const { url } = await startProgram(cors, { cwd: await temporaryDirectory() })
  const running = await startProxy(proxy, Number(new URL(url).port), edit)
  const flags = ['--url', `${running[scheme]}/files/`, '--duration', '3s', ...cors]
  const env = { NODE_EXTRA_CA_CERTS: running.caFile }
  const { code, output } = await runProgram(['check', ...flags], { env })
  return { code, lines: output.trim().split('\n') }
}
