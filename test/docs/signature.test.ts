import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { HttpHooks } from 'tuskit/http-hooks'
import { expect, test } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import { HookServer } from '../support/hook-server.js'
import { createUpload, memoryComposer, serve } from '../support/serve.js'
import { readPage } from './pages.js'

const run = promisify(execFile)

test('the verification in Python accepts a message, and no changed or old one', async () => {
  ensureProgram('python3')
  const { text } = await readPage('docs/hook-programs.md')
  const [, source] = /```python\n(import base64[^]*?)^```$/m.exec(text)!
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const receiver = await HookServer.start()
  const hooks = new HttpHooks({ url: receiver.url, secret, events: ['post-create'] })
  await createUpload(await serve({ hooks, composer: memoryComposer() }), { 'upload-length': '5' })
  const [message] = await receiver.received(1)
  const { headers, text: body } = message!
  const old = {
    ...headers,
    'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 999),
  }
  const cases = [
    [headers, body],
    [headers, `${body} `],
    [old, body],
  ]
  const program = `${source}
import json, sys
for headers, body in json.loads(sys.argv[2]):
    print(is_genuine(sys.argv[1], headers, body.encode()))`
  const { stdout } = await run('python3', ['-c', program, secret, JSON.stringify(cases)])
  expect(stdout.trim().split('\n')).toEqual(['True', 'False', 'False'])
})
