import { expect, test } from 'vitest'
import { openRequest, send, serve, until } from '../serve.js'
import { append, appending, ask, create, end, started, urlIn, versions } from './draft.js'

test.each(versions)('R-080 R-082 DELETE: 204, then 404 or 410, version %s', async (version) => {
  const url = await started(await serve(), version, 'hello')
  expect((await ask('DELETE', url, version)).status).toBe(204)
  const appended = await append(url, version, 5, ' world', end(version))
  const statuses = [
    (await ask('HEAD', url, version)).status,
    (await ask('DELETE', url, version)).status,
    appended.status,
  ]
  for (const status of statuses) expect(status).toBeOneOf([404, 410])
  expect(appended.headers).not.toHaveProperty('upload-offset')
})

test('R-080 DELETE frees the data', async () => {
  const site = await serve()
  const url = await started(site, 9, 'hello')
  await ask('DELETE', url, 9)
  await expect(site.handler.uploads.inspect(url.split('/').at(-1)!)).rejects.toMatchObject({
    code: 'ERR_UPLOAD_NOT_FOUND',
  })
})

test('R-081 DELETE first ends the running append', async () => {
  const site = await serve()
  const url = await started(site, 9, 'hello')
  const { reply } = openRequest(
    appending(url, 9, 5, ' world', { ...end(9), 'content-length': '100' }),
  )
  const broken = reply.then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  )
  // Inspects without taking over.
  await until(
    () => site.handler.uploads.inspect(url.split('/').at(-1)!),
    ({ offset }) => offset === 11,
  )
  expect((await ask('DELETE', url, 9)).status).toBe(204)
  expect(await broken).toBe('ECONNRESET')
})

test('R-082 DELETE of a complete upload removes it, and asks preTerminate', async () => {
  let asked = 0
  const site = await serve({ hooks: { preTerminate: () => void asked++ } })
  const url = urlIn(await create(site, 9, 'hello', end(9)), site)
  expect((await ask('DELETE', url, 9)).status).toBe(204)
  expect((await send({ method: 'GET', url })).status).toBeOneOf([404, 410])
  expect(asked).toBe(1)
})
