import { expect, test } from 'vitest'
import { clientAt } from '../frameworks/uploads-suite.js'
import { serve } from '../support/serve.js'
import { readPage } from './pages.js'

const { text } = await readPage('docs/behind-proxies.md')

test('the lists for CORS are those of the handler', async () => {
  const { port } = await serve({ cors: true })
  const headers = { origin: 'https://example.org', 'access-control-request-method': 'POST' }
  const reply = await clientAt(`http://127.0.0.1:${port}`).send('OPTIONS', '/files', headers)
  for (const list of ['Methods', 'Headers']) expect(listed(`Allow-${list}`)).toEqual(sent(list))
  expect(listed('Expose-Headers')).toEqual(split(reply.headers['access-control-expose-headers']!))

  function sent(list: string) {
    return split(reply.headers[`access-control-allow-${list.toLowerCase()}`] as string)
  }
})

function listed(header: string): string[] {
  return split(new RegExp(`^Access-Control-${header}:([^]*?)\n(\n|\`)`, 'm').exec(text)![1]!)
}

function split(list: string): string[] {
  return list.split(',').map((word) => word.trim())
}
