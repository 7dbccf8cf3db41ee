import { once } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  idOf,
  memoryComposer,
  openRequest,
  post,
  serve,
  stores,
} from '../support/serve.js'

const size = 4 * 1024 * 1024

/** A store whose content never ends, and that does not look at its signal. */
async function serveEndless() {
  const opened: { content: Readable; signal: AbortSignal }[] = []
  const composer = memoryComposer().useContentReader({
    async read(_upload, _range, { signal }) {
      const content = new Readable({ read: () => {} })
      content.push('hello')
      opened.push({ content, signal })
      return content
    },
  })
  const site = await serve({ composer })
  const id = idOf(await createUpload(site, { 'upload-length': '0' }))
  return { site, id, opened }
}

describe.each(stores)('the $store store', ({ compose }) => {
  async function serveContent() {
    const { handler, ...site } = await serve({ composer: await compose() })
    const { headers } = await post(site, { 'upload-length': String(size) }, Buffer.alloc(size, 'a'))
    const id = idOf(headers.location!)
    return (signal: AbortSignal) => handler.uploads.read(id, { signal }) as Promise<Readable>
  }

  test('stops reading when the signal aborts, however far it is', async () => {
    const read = await serveContent()
    for (const pieces of [0, 1, 2]) {
      const controller = new AbortController()
      const content = await read(controller.signal)
      let got = 0
      const reading = (async () => {
        if (pieces === 0) controller.abort(new Error('enough'))
        for await (const _ of content) if (++got === pieces) controller.abort(new Error('enough'))
      })()
      await expect(reading).rejects.toMatchObject({
        name: 'AbortError',
        cause: { message: 'enough' },
      })
      expect(got).toBe(pieces)
      if (!content.closed) await once(content, 'close')
    }
  })

  test('delivers everything when the signal aborts only afterwards', async () => {
    const read = await serveContent()
    const controller = new AbortController()
    const content = await read(controller.signal)
    expect(await text(content)).toHaveLength(size)
    controller.abort()
    if (!content.closed) await once(content, 'close')
    expect(content.errored).toBeNull()
  })
})

test('a store need not look at the signal once it has opened the content', async () => {
  const { site, id, opened } = await serveEndless()
  const controller = new AbortController()
  const content = await site.handler.uploads.read(id, { signal: controller.signal })
  const failed = once(content as Readable, 'error')
  controller.abort()
  expect(await failed).toMatchObject([{ name: 'AbortError' }])
  expect(opened[0]?.content.destroyed).toBe(true)
  expect(opened[0]?.signal.aborted).toBe(false)
})

test('a download that its client gives up destroys the content of the store', async () => {
  const { site, id, opened } = await serveEndless()
  const { request, reply } = openRequest({ method: 'GET', url: `${site.origin}/files/${id}` })
  request.end()
  await once(request, 'response')
  const closed = new Promise((resolve) => opened[0]!.content.once('close', resolve))
  request.destroy()
  await expect(reply).rejects.toThrow()
  await closed
})
