import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReadme } from '../../../test/docs/start-readme.js'
import { download, post } from '../../../test/support/serve.js'
import { CephGateway, credentials } from '../services.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

test('the program of the README keeps uploads in S3', async () => {
  const replacements = [
    ['eu-central-1', 'us-east-1'],
    ["const bucket = 'uploads'", `const bucket = '${await ceph.createBucket()}'`],
  ] as const
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_S3: ceph.endpoint,
    AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'WHEN_REQUIRED',
  }
  const { origin } = await startReadme('s3-store', replacements, { env })
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(origin + created.headers.location!)).toBe('hello')
})
