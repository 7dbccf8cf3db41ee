import { request } from 'node:http'
import { startProgram, type RunOptions, type Running } from '../program.js'

/** An upload to make. */
export interface Wanted {
  readonly length: number
  /** How many bytes are sent. By default all of them. */
  readonly sent?: number
  readonly name?: string
}

/** Uploads to a server, and returns the id. */
export async function upload(
  base: string,
  { length, sent = length, name }: Wanted,
): Promise<string> {
  const created = await fetch(base, {
    method: 'POST',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-length': String(length),
      ...(name !== undefined && {
        'upload-metadata': `filename ${Buffer.from(name).toString('base64')}`,
      }),
    },
  })
  if (created.status !== 201) throw new Error(`${created.status} ${await created.text()}`)
  const location = new URL(created.headers.get('location')!, base)
  if (sent > 0) {
    const appended = await fetch(location, {
      method: 'PATCH',
      headers: {
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
      },
      body: Buffer.alloc(sent, 'x'),
    })
    if (appended.status !== 204) throw new Error(`${appended.status} ${await appended.text()}`)
  }
  return location.pathname.split('/').at(-1)!
}

/** Makes uploads with a server that has stopped when this returns. Returns their ids. */
export async function madeUploads(
  options: RunOptions,
  wanted: readonly Wanted[],
  parameters: readonly string[] = [],
): Promise<readonly string[]> {
  const running = await startProgram(parameters, options)
  const ids: string[] = []
  for (const one of wanted) ids.push(await upload(running.url, one))
  await running.stop()
  return ids
}

/** Starts an upload that stays in progress. Returns its id when bytes have arrived. */
export async function slowUpload({ url }: Running): Promise<{ id: string; ended: Promise<void> }> {
  const id = await upload(url, { length: 100_000, sent: 0 })
  const client = request(`${url}${id}`, {
    method: 'PATCH',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-length': 100_000,
    },
  })
  client.on('error', () => {})
  const ended = new Promise<void>((resolve) => client.once('close', resolve))
  client.write(Buffer.alloc(50_000))
  for (;;) {
    const head = await fetch(`${url}${id}`, {
      method: 'HEAD',
      headers: { 'tus-resumable': '1.0.0' },
    })
    if (Number(head.headers.get('upload-offset')) > 0) return { id, ended }
  }
}
