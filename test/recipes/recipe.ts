import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { readPage, root } from '../docs/pages.js'
import { clientAt, testSite, type Client } from '../frameworks/uploads-suite.js'
import { freePort } from '../support/free-port.js'
import { installed } from '../house/installed.js'
import { runtime } from '../house/runtime.js'
import { until } from '../support/serve.js'

/** A section of docs/frameworks.md, and the other files of an application. */
export interface Recipe {
  readonly framework: string
  /** The folder at the beginning of the names of its programs. */
  readonly folder: string
  readonly packages: readonly string[]
  /** The version of Node, if the framework refuses the oldest one that tuskit supports. */
  readonly node?: string
  readonly files?: Readonly<Record<string, string>>
  /** Arguments of Node, from the folder with `node_modules`. */
  readonly build?: readonly string[]
  start(port: number): readonly string[]
  /**
   * Adds a user to the request before the handler gets it: a line of the recipe, and its
   * replacement.
   */
  readonly decorate: readonly [line: string, decorated: string]
  /** The body of the 404 next to the handler's path. */
  readonly notFound: RegExp
}

const basePath = '/api/files'

/** Builds the application, starts it, and uploads to it. */
export function testRecipe(recipe: Recipe): void {
  const { framework, notFound } = recipe

  describe(framework, () => {
    let folder: string
    let server: ChildProcess | undefined
    let client: Client
    let said = ''

    beforeAll(async () => {
      const home = await installed(...recipe.packages)
      const node = recipe.node ? await runtime('node', recipe.node) : process.execPath
      folder = await mkdtemp(join(home, 'application-'))
      const port = await freePort()
      await unpack(recipe, folder, port)
      const run = (args: readonly string[]) => {
        const [program, ...others] = args as [string, ...string[]]
        const path = program.startsWith('node_modules/') ? join(home, program) : program
        return spawn(node, [path, ...others], { cwd: folder, env: environment(port) })
      }
      if (recipe.build) {
        const build = run(recipe.build)
        const outcome = [text(build.stdout), text(build.stderr), once(build, 'exit')] as const
        const [out, err, [code]] = await Promise.all(outcome)
        expect(code, `${out}${err}`).toBe(0)
      }
      server = run(recipe.start(port))
      server.stdout!.on('data', (data) => (said += String(data)))
      server.stderr!.on('data', (data) => (said += String(data)))
      client = clientAt(`http://127.0.0.1:${port}`)
      await until(
        () => {
          if (server!.exitCode !== null) throw new Error(said)
          return client.send('OPTIONS', basePath, {}).catch(() => undefined)
        },
        (reply) => reply !== undefined,
      )
    }, 600_000)

    afterAll(async () => {
      if (server && server.exitCode === null) {
        const exited = once(server, 'exit')
        server.kill('SIGKILL')
        await exited
      }
      await rm(folder, { recursive: true, force: true })
    })

    testSite({ framework, basePath, notFound, connect: () => client })

    test('hooks see the request as the application decorated it', async () => {
      const headers = { 'tus-resumable': '1.0.0', 'upload-length': 0, 'x-who-am-i': 1 }
      const reply = await client.send('POST', basePath, headers)
      expect([reply.status, reply.body.toString()]).toEqual([403, 'You are ada'])
    })

    test('a body that a parser would read is stored', async () => {
      const content = Buffer.from('{ "not": "for a parser" }')
      const headers = {
        'upload-complete': '?1',
        'upload-draft-interop-version': '8',
        'content-type': 'application/json',
      }
      const created = await client.send('POST', basePath, headers, content)
      expect(created.status).toBe(201)
      const got = await client.send('GET', created.headers.location!, {})
      expect(got.body).toEqual(content)
    })

    test('the server does not limit the time of a request', () => {
      expect(said).not.toContain('TUSKIT_REQUEST_TIMEOUT')
    })
  })
}

/** Code that a test adds to the handler of the page. */
const whoAmI = `
  hooks: {
    preCreate({ request }) {
      if (!request.headers['x-who-am-i']) return
      return { reject: { status: 403, body: 'You are ' + request.user } }
    },
  },
`

/**
 * The programs of the page, the files of the application, and tuskit as `npm install` installs it.
 */
async function unpack(recipe: Recipe, folder: string, port: number): Promise<void> {
  const { blocks } = await readPage('docs/frameworks.md')
  const own = blocks.filter(({ name }) => name.startsWith(`${recipe.folder}/`))
  const [line, decorated] = recipe.decorate
  expect(own.filter(({ code }) => code.includes(line))).toHaveLength(1)
  const handler = blocks.find(({ name }) => name === 'uploads.mjs')!.code
  const files = {
    'package.json': '{ "type": "module", "dependencies": { "tuskit": "*" } }',
    'uploads.mjs': handler.replace("basePath: '/api/files',", `$&${whoAmI}`),
    ...recipe.files,
    ...Object.fromEntries(
      own.map(({ name, code }) => [
        name.slice(recipe.folder.length + 1),
        code.replace(line, decorated).replaceAll('1080', String(port)),
      ]),
    ),
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }

  const tuskit = join(folder, 'node_modules/tuskit')
  await cp(join(root, 'test/.dist'), join(tuskit, 'dist'), { recursive: true })
  const exports = Object.fromEntries(
    Object.keys(manifest.tsup.entry).map((name) => [
      name === 'index' ? '.' : `./${name}`,
      `./dist/${name}.js`,
    ]),
  )
  await writeFile(
    join(tuskit, 'package.json'),
    JSON.stringify({ name: 'tuskit', version: '0.1.0', type: 'module', exports }),
  )
}

function environment(port: number): NodeJS.ProcessEnv {
  const { VITEST: _, NODE_ENV: __, ...inherited } = process.env
  return {
    ...inherited,
    PORT: String(port),
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    ASTRO_TELEMETRY_DISABLED: '1',
    NITRO_TELEMETRY_DISABLED: '1',
  }
}
