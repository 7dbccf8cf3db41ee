import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** How a program was called. */
export interface ProgramCall {
  readonly program: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly stdin: string
}

/** Writes an executable file. Without an interpreter, it is a script for `sh`. */
export async function writeProgram(
  path: string,
  source: string,
  interpreter = '/bin/sh',
): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!${interpreter}\n${source}\n`, { mode: 0o755 })
  return path
}

/** Writes a program that adds its call to a file, and then does what `behave` says. */
export function writeNoting(path: string, log: string, behave = ''): Promise<string> {
  const source = `
const { appendFileSync, readFileSync } = require('node:fs')
const [, program, ...argv] = process.argv
const stdin = readFileSync(0, 'utf8')
const call = { program, argv, env: process.env, cwd: process.cwd(), stdin }
appendFileSync(${JSON.stringify(log)}, JSON.stringify(call) + '\\n')
${behave}`
  return writeProgram(path, source, process.execPath)
}

/** Returns the calls in such a file. */
export function notedCalls(log: string): ProgramCall[] {
  if (!existsSync(log)) return []
  const lines = readFileSync(log, 'utf8').split('\n')
  // The last line may still be written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as ProgramCall)
}
