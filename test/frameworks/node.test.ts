import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createUploadServer } from 'tuskit'
import { clientOf, testUploads, type Mounting } from './uploads-suite.js'

const { key, cert } = selfSigned()

testUploads({
  framework: 'http.createServer(handler)',
  basePath: '/files',
  mount: (handler) => http.createServer(handler),
  notFound: /^ERR_NOT_FOUND/,
})

testUploads({
  framework: 'createUploadServer(handler)',
  basePath: '/api/v1/files',
  mount: (handler) => createUploadServer(handler),
  notFound: /^ERR_NOT_FOUND/,
})

const secure: Mounting = {
  framework: 'https.createServer(handler)',
  basePath: '/files',
  mount: (handler) => https.createServer({ key, cert }, handler),
  ca: cert,
  notFound: /^ERR_NOT_FOUND/,
}
testUploads(secure)

test('https.createServer(handler): an absolute Location says https', async () => {
  const client = await clientOf({ ...secure, options: { location: 'absolute' } })
  const url = await client.create('/files', { 'upload-length': 0 })
  expect(url.startsWith(`${client.origin}/files/`)).toBe(true)
})

function selfSigned() {
  const directory = mkdtempSync(join(tmpdir(), 'tuskit-'))
  const [keyPath, certPath] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const form = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1']
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  try {
    const files = ['-keyout', keyPath, '-out', certPath]
    execFileSync('openssl', ['req', ...form, ...names, ...files], { stdio: 'pipe' })
    return { key: readFileSync(keyPath, 'utf8'), cert: readFileSync(certPath, 'utf8') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
