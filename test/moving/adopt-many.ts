import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { program } from './moves.js'

/** The heap of the program that adopts, in MB. */
const heap = 64

/**
 * Adopts a folder with many uploads of tusd in a small heap, and again. Throws unless all are
 * adopted once, and nothing changes the second time.
 */
export async function adoptMany(count: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-many-'))
  try {
    for (let i = 0; i < count; i++) await writeUpload(directory, i)
    const first = await adopt(directory)
    assert.match(first.output, new RegExp(`Uploads: ${count.toLocaleString('en')} adopted, 0 `))
    const before = await fingerprint(directory)
    const second = await adopt(directory)
    assert.match(second.output, new RegExp(`Uploads: 0 adopted, ${count.toLocaleString('en')} `))
    assert.equal(await fingerprint(directory), before, 'the second run has changed something')
    return `${count} uploads: adopted in ${first.seconds} s with a heap of ${heap} MB, at most ${first.memory} MB in memory; again in ${second.seconds} s, without a change`
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Writes an upload as tusd does. Every other one is finished. */
async function writeUpload(directory: string, i: number): Promise<void> {
  const id = createHash('md5').update(String(i)).digest('hex')
  const path = join(directory, id)
  const record = {
    ...{ ID: id, Size: 10 + (i % 2), SizeIsDeferred: false, Offset: 0 },
    ...{ MetaData: { filename: `file ${i}.bin` }, IsPartial: false, IsFinal: false },
    ...{
      PartialUploads: null,
      Storage: { Type: 'filestore', Path: path, InfoPath: `${path}.info` },
    },
  }
  await writeFile(path, '0123456789')
  await writeFile(`${path}.info`, JSON.stringify(record))
}

/** Prints the peak of the memory when the program ends. */
const report = `data:text/javascript,
  import { readFileSync } from 'node:fs';
  process.on('exit', () => console.error(readFileSync('/proc/self/status', 'utf8')))`

async function adopt(directory: string) {
  const started = performance.now()
  const node = [`--max-old-space-size=${heap}`, '--import', report]
  const child = spawn(process.execPath, [...node, program, 'adopt', '--from', 'tusd', directory])
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  assert.equal(code, 0, errors)
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(errors)!
  return {
    output,
    seconds: Math.round((performance.now() - started) / 1_000),
    memory: Math.round(Number(peak) / 1_024),
  }
}

/** Returns a digest of the names, sizes and times of all files. */
async function fingerprint(directory: string): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(directory)).sort()) {
    const { size, mtimeMs, ino } = await stat(join(directory, name))
    hash.update(`${name} ${size} ${mtimeMs} ${ino}\n`)
  }
  return hash.digest('hex')
}
