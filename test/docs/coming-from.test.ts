import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errors } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commands } from '../../packages/server/src/commands/commands.js'
import { checkAgreement } from '../../packages/server/src/settings/agreement.js'
import { readSettings } from '../../packages/server/src/settings/read-settings.js'
import { settingNames } from '../../packages/server/src/settings/settings.js'
import { namesElsewhere } from '../../src/names-elsewhere.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { freePort } from '../support/free-port.js'
import {
  createUpload,
  memoryComposer,
  send,
  serve,
  temporaryDirectory,
  tus,
} from '../support/serve.js'
import { readPage } from './pages.js'
import rustus from './recorded/rustus.json' with { type: 'json' }
import node from './recorded/tus-node-server.json' with { type: 'json' }
import tusd from './recorded/tusd.json' with { type: 'json' }

const run = promisify(execFile)

const [tusdPage, rustusPage, nodePage] = await Promise.all(
  ['tusd', 'rustus', 'tus-node-server'].map((name) => readPage(`docs/coming-from-${name}.md`)),
)
const pages = [tusdPage!, rustusPage!, nodePage!]

const flagsOfTuskit = new Set([
  ...settingNames.map((name) => `--${name}`),
  ...commands.flatMap(({ flags = [] }) => flags.map(([flag]) => flag.split(' ')[0]!)),
  ...['--config', '--version', '--hooks-http-secret-file'],
])
/** Flags of Node, and of programs of the shell. */
const otherFlags = ['--tls-min-v1', '--scan', '--raw']

describe.each([
  ['tusd', tusdPage!.text, tusd],
  ['Rustus', rustusPage!.text, rustus],
] as const)('the page on %s', (server, text, recorded) => {
  const rows = rowsOf(text, server)

  test('has a row for each flag, with its default', () => {
    const shown = rows.flatMap(([first]) => {
      const flags = [...first!.matchAll(/`(--?\w[\w-]*)`(?: `([^`]+)`)?/g)]
      const isAlone = flags.length === 1
      return flags.map(([, flag, value]) => [flag!, { value, isAlone }] as const)
    })
    expect(shown.map(([flag]) => flag).toSorted()).toEqual(Object.keys(recorded.flags).toSorted())
    const defaults: Readonly<Record<string, string | null>> = recorded.flags
    for (const [flag, { value, isAlone }] of shown) {
      const usual = ['', 'false', null].includes(defaults[flag]!) ? undefined : defaults[flag]
      if (isAlone || value !== undefined) expect([flag, value]).toEqual([flag, usual])
    }
  })

  test('has a row for each event and each metric', () => {
    const events = codesIn(rowsOf(text, `event of ${server}`))
    expect(events.toSorted()).toEqual(recorded.events.toSorted())
    const metrics = codesIn(rowsOf(text, `metric of ${server}`))
    expect(metrics).toEqual(expect.arrayContaining(recorded.metrics))
  })

  test('names metrics of tuskit that exist', async () => {
    const { text: operation } = await readPage('docs/server-operation.md')
    const named = rowsOf(text, `metric of ${server}`).flatMap(([, second]) => second!)
    const metrics = named.join().match(/\b(?:tusd|tuskit)_[a-z_]+/g) ?? []
    expect(metrics.filter((metric) => !operation.includes(`\`${metric}`))).toEqual([])
  })
})

test('the page on Rustus has a row for each format of messages', () => {
  expect(codesIn(rowsOf(rustusPage!.text, 'format of Rustus')).toSorted()).toEqual(
    rustus.formats.toSorted(),
  )
})

test('flags that the pages name exist', () => {
  const flagPattern = /(?<![\w-])--[a-z][\w-]*/g
  for (const { path, text } of pages) {
    // The program of the other server has its own flags.
    const flags = text.replace(/^rustus [^]*?^```$/m, '').match(flagPattern) ?? []
    const known = path.includes('rustus') ? Object.keys(rustus.flags) : []
    const unknown = flags.filter(
      (flag) => ![...flagsOfTuskit, ...known, ...otherFlags].includes(flag),
    )
    expect([path, unknown]).toEqual([path, []])
  }
  // Here the flags of Rustus do not count.
  const cells = rowsOf(rustusPage!.text, 'Rustus').map(([, second]) => second!)
  const given = [...cells, ...commandsIn(rustusPage!.text)].join('\n').match(flagPattern)!
  expect(given.filter((flag) => !flagsOfTuskit.has(flag))).toEqual([])
})

test('command lines that serve uploads are accepted', () => {
  const lines = pages
    .flatMap(({ text }) => commandsIn(text))
    .filter((line) => /^tuskit --/.test(line))
  expect(lines).toHaveLength(3)
  for (const line of lines) {
    const words = line.replaceAll("'", '').split(/ --/).slice(1)
    const flags = Object.fromEntries(words.map((word) => word.split(' ') as [string, string]))
    checkAgreement(readSettings({ flags, variables: {}, config: undefined }))
  }
})

test.each([
  ['tusd', tusdPage!.text, 'tusd', tusd.errors],
  ['tus-node-server', nodePage!.text, 'constant', node.errors],
])('the page on %s has a row for each code of errors', (_, text, head, codes) => {
  const rows = rowsOf(text, head).filter(([first]) => codes.some((code) => first!.includes(code)))
  expect(codesIn(rows).toSorted()).toEqual(codes.toSorted())
  const named = rows.flatMap(([, second]) => [...second!.matchAll(/`(ERR_\w+)`(?: \((\d+)\))?/g)])
  expect(named.length).toBeGreaterThan(10)
  const statuses: Readonly<Record<string, readonly [number, ...unknown[]]>> = errors
  for (const [, code, status] of named) {
    expect(statuses, code).toHaveProperty(code!)
    if (status !== undefined) expect([code, Number(status)]).toEqual([code, statuses[code!]![0]])
  }
})

describe('the page on tus-node-server', () => {
  const { text } = nodePage!
  const { Server, ...classes } = node.options

  test('has a row for each option of Server, method and event', () => {
    expect(codesIn(rowsOf(text, '`new Server()`'))).toEqual(expect.arrayContaining(Server))
    expect(codesIn(rowsOf(text, 'method'))).toEqual(node.methods)
    expect(codesIn(rowsOf(text, 'event'))).toEqual(node.events)
  })

  test('has each class, and each option of its constructor', () => {
    const heads = ['option of `FileStore`', 'key-value store', 'other stores', 'locker']
    const cells = heads.flatMap((head) => rowsOf(text, head)).flatMap((row) => row.slice(0, 2))
    const codes = codesIn(cells.map((cell) => [cell]))
    const options = Object.values(classes).flat()
    const wanted = [...node.classes.filter((name) => name !== 'FileStore'), ...options]
    expect(codes).toEqual(expect.arrayContaining(wanted))
  })

  test('says the same as errors about unknown options', () => {
    const rows = rowsOf(text, '`new Server()`')
    const known = Server.filter((option) => option in namesElsewhere)
    expect(known.length).toBeGreaterThan(12)
    for (const option of known) {
      const [, second] = rows.find(([first]) => first === `\`${option}\``)!
      for (const name of namesElsewhere[option]!) expect(second).toContain(`\`${name}\``)
    }
  })

  test('shows a hook that keeps finished uploads', async () => {
    const { code } = nodePage!.blocks.find((block) => block.code.includes('preTerminate'))!
    const source = encodeURIComponent(`${code}\nexport default hooks`)
    const { default: hooks } = (await import(`data:text/javascript,${source}`)) as {
      default: object
    }
    const site = await serve({ hooks, composer: memoryComposer() })
    const remove = async (length: string) => {
      const url = await createUpload(site, { 'upload-length': length })
      return (await send({ method: 'DELETE', url, headers: tus })).status
    }
    expect([await remove('0'), await remove('5')]).toEqual([400, 204])
  })
})

test.each([
  [tusdPage!, 'info'],
  [rustusPage!, 'info'],
  [nodePage!, 'json'],
])('$path removes the new records of old uploads, and nothing else', async ({ text }, end) => {
  const [data, records] = [await temporaryDirectory(), await temporaryDirectory()]
  const inOneFolder = !text.includes('/srv/uploads/info')
  const adopted = ['adopted', `odd.${end}`]
  const old = adopted.map((id) => `${id}.${end}`)
  const others = [...adopted, 'new', '.tuskit', '.new.info']
  for (const name of [...others, ...adopted.map((id) => `.${id}.info`)]) {
    await writeFile(join(data, name), '')
  }
  for (const name of old) await writeFile(join(inOneFolder ? data : records, name), '')

  const [, script] = /^```sh going-back\n([^]*?)^```$/m.exec(text)!
  const here = script!
    .replaceAll('/srv/uploads/info', records)
    .replaceAll(/\/srv\/uploads(\/data)?|\.\/uploads/g, data)
  await run('sh', ['-ec', here])
  const left = [...(await readdir(data)), ...(await readdir(records))]
  expect(left.toSorted()).toEqual([...others, ...old].toSorted())
})

test('docs/coming-from-rustus.md exports the records from Redis, and no other key', async () => {
  ensureProgram('redis-server')
  const port = String(await freePort())
  const server = spawn('redis-server', ['--port', port, '--save', '', '--bind', '127.0.0.1'])
  onTestFinished(() => void server.kill())
  for await (const piece of server.stdout) {
    if (String(piece).includes('Ready to accept connections')) break
  }
  const stored = [...Object.entries(rustus.redis), ['session:1', 'of another program']] as const
  for (const [key, value] of stored) await run('redis-cli', ['-p', port, 'set', key!, value!])

  const folder = await temporaryDirectory()
  const [, script] = /^```sh export\n([^]*?)^tuskit [^]*?^```$/m.exec(rustusPage!.text)!
  const here = script!.replaceAll('redis-cli', `redis-cli -p ${port}`)
  await run('sh', ['-ec', here], { cwd: folder })
  const records = join(folder, 'records')
  const names = await readdir(records)
  expect(names.toSorted()).toEqual(
    Object.keys(rustus.redis)
      .map((id) => `${id}.info`)
      .toSorted(),
  )
  for (const [id, value] of Object.entries(rustus.redis)) {
    expect(JSON.parse(await readFile(join(records, `${id}.info`), 'utf8'))).toEqual(
      JSON.parse(value),
    )
  }
  server.kill()
  await once(server, 'exit')
})

/** Returns the rows of all tables of a page whose first column has this head. */
function rowsOf(text: string, head: string): readonly (readonly string[])[] {
  const tables = text.matchAll(/^\|(.*)\|\n\|[-|]+\|\n((?:\|.*\n)*)/gm)
  return [...tables]
    .filter(([, first]) => first!.split('|')[0]!.trim() === head)
    .flatMap(([, , rows]) => rows!.trimEnd().split('\n'))
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** Returns what is set as code in the first cells of rows. */
function codesIn(rows: readonly (readonly string[])[]): string[] {
  return rows.flatMap(([first]) => [...first!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!))
}

/** Returns the command lines of tuskit in the blocks of a page, each in one line. */
function commandsIn(text: string): string[] {
  return (text.replaceAll(/ \\\n\s*/g, ' ').match(/^ *tuskit .*$/gm) ?? []).map((line) =>
    line.trim(),
  )
}
