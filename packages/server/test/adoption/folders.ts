import { createHash } from 'node:crypto'
import { cp, lstat, readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram, type Ended } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import recorded from './recorded/uploads.json' with { type: 'json' }

/** An upload as the old server described it. */
export interface RecordedUpload {
  readonly name: string
  readonly id: string
  readonly length: number | null
  readonly offset: number
  readonly metadata: Readonly<Record<string, string | null>>
  /** Of the bytes that are stored. */
  readonly sha256: string
  readonly concat?: 'partial' | 'final'
}

/** Returns a copy of a recorded folder, which is somewhere else than it was. */
export async function copyOf(folder: string): Promise<string> {
  const copy = join(await temporaryDirectory(), 'moved')
  await cp(fileURLToPath(new URL(`recorded/${folder}`, import.meta.url)), copy, { recursive: true })
  return copy
}

/** Returns what the old server said about the uploads of a recorded folder. */
export function uploadsIn(folder: string): readonly RecordedUpload[] {
  const found = recorded.find((one) => one.folder === folder)!
  return found.uploads as unknown as readonly RecordedUpload[]
}

/** Runs `tuskit adopt`. */
export function adopt(parameters: readonly string[]): Promise<Ended> {
  return runProgram(['adopt', ...parameters])
}

/** Returns the files in a folder by path: their content, mode and time of the last change. */
export async function contentOf(
  folder: string,
  { hidden }: { readonly hidden: boolean },
): Promise<Readonly<Record<string, string>>> {
  const content: Record<string, string> = {}
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const path = join(folder, name)
    const stats = await lstat(path)
    if (stats.isDirectory() || (!hidden && basename(name).startsWith('.'))) continue
    content[name] = `${stats.mtimeMs} ${stats.mode} ${sha256(await readFile(path))}`
  }
  return content
}

export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
