import { expect } from 'vitest'
import { isTusError } from 'tuskit'
import { chunk, head, send, tus, until, type Site } from '../../../test/support/serve.js'

/** A client that knows what has been acknowledged, and continues with any server. */
export class Uploader {
  path: string | undefined
  acknowledged = 0
  readonly #content: Buffer

  constructor(content: Buffer) {
    this.#content = content
  }

  /** Sends everything that is missing, in requests of so many bytes. */
  async run(site: Site, chunkSize: number, comesWithCreation: number): Promise<void> {
    const { length } = this.#content
    if (this.path === undefined) {
      const created = await send({
        method: 'POST',
        url: `${site.origin}/files`,
        headers: { ...chunk, 'upload-length': length },
        body: this.#content.subarray(0, comesWithCreation),
      })
      if (created.headers.location === undefined) throw new Error(`${created.status}`)
      this.path = new URL(created.headers.location, site.origin).pathname
    }
    const url = site.origin + this.path
    for (;;) {
      const found = await head(url)
      if (found.status === 423) continue
      expect(found.status).toBe(200)
      const offset = Number(found.headers['upload-offset'])
      expect(offset).toBeGreaterThanOrEqual(this.acknowledged)
      this.acknowledged = offset
      if (offset === length) return
      const reply = await send({
        method: 'PATCH',
        url,
        headers: { ...chunk, 'upload-offset': offset },
        body: this.#content.subarray(offset, offset + chunkSize),
      })
      if (reply.status === 204) this.acknowledged = Number(reply.headers['upload-offset'])
    }
  }
}

/** The stories of uploads: how large they are, and how they are sent. */
export const stories = [
  { name: 'a small file in its creation', size: 1_000, first: 1_000, chunkSize: 1_000 },
  { name: 'a small file in two requests', size: 50_000, first: 20_000, chunkSize: 50_000 },
  { name: 'a large file in its creation', size: 150_000, first: 150_000, chunkSize: 150_000 },
  { name: 'a large file in short requests', size: 150_000, first: 0, chunkSize: 40_000 },
  { name: 'an empty file', size: 0, first: 0, chunkSize: 1 },
]

/** Removes an upload. Its lock may be held until the lease of a dead process is over. */
export async function removed(site: Site, { path }: Uploader): Promise<void> {
  const remove = () => send({ method: 'DELETE', url: site.origin + path, headers: tus })
  await until(remove, ({ status }) => [204, 404, 410].includes(status))
}

/** Removes all uploads: also those whose client never learnt their URL. */
export async function removeAll({ handler: { uploads } }: Site): Promise<void> {
  for await (const { id } of uploads.list()) {
    await uploads.terminate(id).catch((error: unknown) => {
      // A removal that was begun before has just been completed.
      if (!isTusError(error, 'ERR_UPLOAD_NOT_FOUND')) throw error
    })
  }
}
