import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readPage, root } from '../../../test/docs/pages.js'
import { freePort } from '../../../test/support/free-port.js'
import { download, post } from '../../../test/support/serve.js'
import { CephGateway, credentials } from '../services.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

test('the program of the README keeps uploads in S3', async () => {
  const { blocks } = await readPage('packages/s3-store/README.md')
  const { code } = blocks.find(({ name }) => name === 'server.mjs')!
  const port = await freePort()
  const adapted = [
    ['eu-central-1', 'us-east-1'],
    ["const bucket = 'uploads'", `const bucket = '${await ceph.createBucket()}'`],
    ['listen(1080', `listen(${port}`],
  ].reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from!, to!)
  }, code)
  const args = ['--import', preload, '--input-type=module', '--eval', adapted]
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: ceph.endpoint,
    AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'WHEN_REQUIRED',
  }
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const server = spawn(process.execPath, args, { cwd: root, env, stdio: [...stdio] })
  onTestFinished(() => void server.kill())
  await once(server.stdout!, 'data')

  const origin = `http://127.0.0.1:${port}`
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(origin + created.headers.location!)).toBe('hello')
})
