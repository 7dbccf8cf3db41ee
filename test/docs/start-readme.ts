import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.js'
import { readPage, root } from './pages.js'

const preload = new URL('../programs/use-test-build.mjs', import.meta.url).href

/** How to start a program. */
interface StartOptions {
  /** The Node to start. By default that of the tests. */
  readonly node?: string
  readonly cwd?: string
  /** Variables that are added to those of the tests. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Starts `server.mjs` of a package's README, in which texts are replaced, on a free port. The end
 * of the test kills it.
 */
export async function startReadme(
  name: string,
  replacements: readonly (readonly [from: string, to: string])[],
  { node = process.execPath, cwd = root, env }: StartOptions = {},
) {
  const { blocks } = await readPage(`packages/${name}/README.md`)
  const port = await freePort()
  let { code } = blocks.find((block) => block.name === 'server.mjs')!
  for (const [from, to] of [...replacements, ['listen(1080', `listen(${port}`] as const]) {
    expect(code).toContain(from)
    code = code.replace(from, () => to)
  }
  const args = ['--import', preload, '--input-type=module', '--eval', code]
  const child = spawn(node, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit') as Promise<[code: number | null]>
  await once(child.stdout, 'data')
  return {
    origin: `http://127.0.0.1:${port}`,
    /** Ends it, and returns its exit code. */
    async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
      child.kill(signal)
      const [exitCode] = await exited
      return exitCode
    },
  }
}
