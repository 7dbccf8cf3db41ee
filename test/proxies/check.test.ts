import { describe, expect, test } from 'vitest'
import { runProgram, startProgram } from '../../packages/server/test/program.js'
import { temporaryDirectory } from '../support/serve.js'
import { proxies, startProxy, type RunningProxy } from './start-proxy.js'

describe.each(proxies)('$name', (proxy) => {
  test.each(['http', 'https'] as const)('meets all demands over %s', async (scheme) => {
    const flags = ['--cors', 'https://page.example']
    const { url } = await startProgram(flags, { cwd: await temporaryDirectory() })
    const running = await startProxy(proxy, Number(new URL(url).port))
    const { code, lines } = await check(running, scheme)
    expect(lines.filter((line) => !/^(ok|removed)/.test(line))).toEqual(['16 ok, 0 warning, 0 failed'])
    expect(lines).toContain('ok       cors: pages of https://page.example may upload.')
    expect(lines).toContain('ok       headers: metadata of 60.0 kB passes.')
    expect(code).toBe(0)
  })
})

async function check({ caFile, ...origins }: RunningProxy, scheme: 'http' | 'https') {
  const { code, output } = await runProgram(
    [
      ...['check', '--url', `${origins[scheme]}/files/`, '--duration', '1s'],
      ...['--cors', 'https://page.example'],
    ],
    { env: { NODE_EXTRA_CA_CERTS: caFile } },
  )
  return { code, lines: output.trim().split('\n') }
}
