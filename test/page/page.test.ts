import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import { head, send, sendRaw, temporaryDirectory, until } from '../support/serve.js'
import { startProxy, type UnreliableProxy } from './unreliable-proxy.js'

const program = fileURLToPath(new URL('../../packages/server/.dist/program.js', import.meta.url))
const preload = new URL('../programs/use-test-build.mjs', import.meta.url).href

/** A browser to use instead of Debian's, and a folder for screenshots. */
const { CHROMIUM: ownChromium, SCREENSHOTS: screenshots } = process.env

/**
 * More than all buffers between browser and server hold, so a held upload is never sent completely.
 */
const big = randomBytes(24_000_000)
const small = Buffer.from('hello world')
const some = 1_000_000

let browser: Browser
let directory: string

vi.setConfig({ testTimeout: 60_000 })

beforeAll(async () => {
  if (ownChromium === undefined) ensureProgram('chromium')
  browser = await chromium.launch({
    executablePath: ownChromium ?? '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
    ],
  })
  directory = await mkdtemp(join(tmpdir(), 'tuskit-page-'))
  await writeFile(file('holiday.mp4'), big)
  await writeFile(file('concert.wav'), big.toReversed())
  await writeFile(file('notes.txt'), small)
})

afterAll(async () => {
  await browser?.close()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

test('a file is uploaded and downloaded, and its progress and speed show', async () => {
  const { begin, page, proxy, requests, stored, complaints } = await visit()
  await begin('holiday.mp4')
  const row = rowOf(page, 'holiday.mp4')
  await textOf(row.locator('.figures'), /^[1-9][\d.]* [kM]B of 24\.0 MB · \d+ % · [\d.]+ [kM]?B\/s/)
  const value = await row.getByRole('progressbar', { name: 'Progress of holiday.mp4' }).evaluate(
    // The types of the DOM are not available here.
    (bar) => (bar as unknown as { readonly value: number }).value,
  )
  expect(value).toBeGreaterThan(0)
  expect(value).toBeLessThan(1)

  proxy.flow()
  await row.getByText('Finished').waitFor()
  expect(requests).toEqual(['POST', 'PATCH 0'])
  const [found, ...others] = await stored()
  expect(big.equals(found!)).toBe(true)
  expect(others).toEqual([])

  const downloading = page.waitForEvent('download')
  await row.getByRole('link', { name: 'Download holiday.mp4' }).click()
  const download = await downloading
  expect(download.suggestedFilename()).toBe('holiday.mp4')
  expect(big.equals(await readFile(await download.path()))).toBe(true)
  expect(complaints).toEqual([])
})

test('an upload continues by itself when the connection is back', async () => {
  const { begin, page, proxy, requests, stored } = await visit()
  await begin('holiday.mp4')
  proxy.refusing = true
  proxy.cut('all')
  const row = rowOf(page, 'holiday.mp4')
  await row.getByText('Connection lost, trying again').waitFor()
  proxy.refusing = false
  proxy.flow()
  await row.getByText('Finished').waitFor()
  expect(requests.filter((request) => request === 'POST')).toHaveLength(1)
  expect(requests.at(-1)).toMatch(/^PATCH [1-9]/)
  expect(big.equals((await stored())[0]!)).toBe(true)
})

test('pause and resume', async () => {
  const { begin, page, proxy, server, requests, stored, ids } = await visit()
  await begin('holiday.mp4')
  const row = rowOf(page, 'holiday.mp4')
  await button(row, 'Pause').click()
  await row.getByText('Paused').waitFor()
  proxy.cut('held')
  proxy.flow()
  const [id] = await ids()
  const { headers } = await head(`${server}/files/${id}`)
  expect(Number(headers['upload-offset'])).toBeGreaterThan(0)
  expect(Number(headers['upload-offset'])).toBeLessThan(big.length)
  expect(requests).toEqual(['POST', 'PATCH 0'])

  await button(row, 'Resume').click()
  await row.getByText('Finished').waitFor()
  expect(requests).toEqual([...['POST', 'PATCH 0', 'HEAD'], expect.stringMatching(/^PATCH [1-9]/)])
  expect(big.equals((await stored())[0]!)).toBe(true)
})

test('after the page is reloaded, an upload continues from the stored bytes', async () => {
  const { begin, page, proxy, requests, stored } = await visit()
  await begin('holiday.mp4')
  await page.reload()
  proxy.cut('held')
  proxy.flow()
  const row = rowOf(page, 'holiday.mp4')
  await row.getByText('Unfinished: choose this file again').waitFor()
  await textOf(row.locator('.figures'), /^[1-9][\d.]* [kM]B of 24\.0 MB · \d+ %$/)

  requests.length = 0
  const choosing = page.waitForEvent('filechooser')
  await button(row, 'Choose file').click()
  await (await choosing).setFiles(file('holiday.mp4'))
  await row.getByText('Finished').waitFor()
  expect(requests).toEqual(['HEAD', expect.stringMatching(/^PATCH [1-9]/)])
  expect(await page.getByRole('listitem').count()).toBe(1)
  const [found, ...others] = await stored()
  expect(big.equals(found!)).toBe(true)
  expect(others).toEqual([])
  expect(await page.evaluate('Object.keys(localStorage)')).toEqual([])
})

test('cancel removes the upload from the server', async () => {
  const { begin, page, ids } = await visit()
  await begin('holiday.mp4')
  expect(await ids()).toHaveLength(1)
  await button(rowOf(page, 'holiday.mp4'), 'Cancel').click()
  await rowOf(page, 'holiday.mp4').waitFor({ state: 'detached' })
  expect(await ids()).toEqual([])
  expect(await page.evaluate('Object.keys(localStorage)')).toEqual([])
})

test('an upload from an earlier visit can be cancelled without its file', async () => {
  const { begin, page, ids } = await visit()
  await begin('holiday.mp4')
  await page.reload()
  await button(rowOf(page, 'holiday.mp4'), 'Cancel').click()
  await rowOf(page, 'holiday.mp4').waitFor({ state: 'detached' })
  expect(await ids()).toEqual([])
  expect(await page.evaluate('Object.keys(localStorage)')).toEqual([])
})

test('an upload that is cancelled during its creation is removed once it exists', async () => {
  const { page, proxy, requests, ids } = await visit()
  proxy.refusing = true
  proxy.cut('all')
  await choose(page, 'notes.txt')
  const row = rowOf(page, 'notes.txt')
  await row.getByText('Connection lost, trying again').waitFor()
  await button(row, 'Cancel').click()
  proxy.refusing = false
  await row.waitFor({ state: 'detached' })
  expect(requests.filter((request) => request !== 'POST')).toEqual(['DELETE'])
  expect(await ids()).toEqual([])
})

test('two files at once', async () => {
  const { begin, page, proxy, stored } = await visit()
  await begin('holiday.mp4', 'concert.wav')
  proxy.flow()
  for (const name of ['holiday.mp4', 'concert.wav']) {
    await rowOf(page, name).getByText('Finished').waitFor()
  }
  const found = await stored()
  expect(found).toHaveLength(2)
  for (const bytes of [big, big.toReversed()]) {
    expect(found.some((other) => other.equals(bytes))).toBe(true)
  }
})

test('files are dropped', async () => {
  const { page, stored } = await visit()
  const dataTransfer = await page.evaluateHandle(`(() => {
    const dropped = new DataTransfer()
    dropped.items.add(new File(['hello world'], 'notes.txt', { type: 'text/plain' }))
    dropped.items.add(new File([], 'empty.txt'))
    return dropped
  })()`)
  await page.dispatchEvent('main', 'drop', { dataTransfer })
  await rowOf(page, 'notes.txt').getByText('Finished').waitFor()
  await rowOf(page, 'empty.txt').getByText('Finished').waitFor()
  expect((await stored()).map(String).toSorted()).toEqual(['', 'hello world'])
})

test('a finished upload is deleted, and the same file uploaded again', async () => {
  const { page, requests, stored, ids } = await visit()
  await choose(page, 'notes.txt')
  await rowOf(page, 'notes.txt').getByText('Finished').waitFor()
  await button(rowOf(page, 'notes.txt'), 'Delete').click()
  await rowOf(page, 'notes.txt').waitFor({ state: 'detached' })
  expect(await ids()).toEqual([])
  await choose(page, 'notes.txt')
  await rowOf(page, 'notes.txt').getByText('Finished').waitFor()
  expect((await stored()).map(String)).toEqual(['hello world'])
  expect(requests).toEqual(['POST', 'PATCH 0', 'DELETE', 'POST', 'PATCH 0'])
})

test('the keyboard alone is enough, and never loses its focus', async () => {
  const { page, proxy } = await visit()
  const focused = () =>
    page.evaluate('document.activeElement.id || document.activeElement.textContent.trim()')
  const held = proxy.holdAfter(some)
  await page.keyboard.press('Tab')
  const choosing = page.waitForEvent('filechooser')
  // The browser responds to this only after it knows that the test waits for the dialog.
  expect(await focused()).toBe('files')
  await page.keyboard.press('Space')
  await (await choosing).setFiles(file('holiday.mp4'))
  await held
  const row = rowOf(page, 'holiday.mp4')
  await row.getByText('Uploading').waitFor()
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Pause holiday.mp4')
  await page.keyboard.press('Space')
  await row.getByText('Paused').waitFor()
  expect(await focused()).toBe('Resume holiday.mp4')
  proxy.cut('held')
  proxy.flow()
  await page.keyboard.press('Enter')
  await row.getByText('Finished').waitFor()
  expect(await focused()).toBe('Download holiday.mp4')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Delete holiday.mp4')
  await page.keyboard.press('Enter')
  await row.waitFor({ state: 'detached' })
  expect(await focused()).toBe('files')
})

test('changes of state are announced, figures are not', async () => {
  const { page } = await visit()
  await choose(page, 'notes.txt')
  await page.getByRole('status').getByText('notes.txt: Finished').waitFor()
  expect(await page.locator('[aria-live], [role=status], [role=alert]').count()).toBe(1)
})

test.each(['light', 'dark'] as const)('axe finds no violations, %s', async (colorScheme) => {
  const { begin, page, proxy } = await visit()
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  expect(await violations(page)).toEqual([])
  await choose(page, 'notes.txt')
  await rowOf(page, 'notes.txt').getByText('Finished').waitFor()
  await begin('holiday.mp4', 'concert.wav')
  await button(rowOf(page, 'concert.wav'), 'Pause').click()
  await rowOf(page, 'concert.wav').getByText('Paused').waitFor()
  await rowOf(page, 'holiday.mp4').getByText('Uploading').waitFor()
  expect(await violations(page)).toEqual([])
  await shoot(page, `${colorScheme}-uploading`)
  proxy.refusing = true
  proxy.cut('all')
  await rowOf(page, 'holiday.mp4').getByText('Connection lost').waitFor()
  expect(await violations(page)).toEqual([])
  await shoot(page, `${colorScheme}-broken`)
  proxy.refusing = false
  await page.reload()
  await rowOf(page, 'holiday.mp4').getByText('Unfinished').waitFor()
  await page.setViewportSize({ width: 360, height: 720 })
  expect(await violations(page)).toEqual([])
  await shoot(page, `${colorScheme}-narrow`)
})

test('only the files of the page are served, with safe types and a strict policy', async () => {
  const { server } = await startProgram()
  const types = {
    '/': 'text/html; charset=utf-8',
    '/?from=somewhere': 'text/html; charset=utf-8',
    '/page.css': 'text/css; charset=utf-8',
    '/page.js': 'text/javascript; charset=utf-8',
    '/row.js': 'text/javascript; charset=utf-8',
    '/figures.js': 'text/javascript; charset=utf-8',
    '/tus.min.js': 'text/javascript; charset=utf-8',
    '/icon.svg': 'image/svg+xml',
  }
  for (const [path, type] of Object.entries(types)) {
    const { status, headers } = await send({ method: 'GET', url: server + path })
    expect([path, status, headers['content-type']]).toEqual([path, 200, type])
    expect(headers['x-content-type-options']).toBe('nosniff')
    const policy = headers['content-security-policy']
    expect(policy).toContain("default-src 'none'; script-src 'self';")
    expect(policy).not.toMatch(/unsafe|\*/)
  }
  const port = Number(new URL(server).port)
  for (const path of [
    ...['/serve-page.mjs', '/../start.mjs', '/%2e%2e/start.mjs', '/..%2fstart.mjs', '//etc/passwd'],
    ...['/page.js/', '/index.html', '/constructor', '/page.js%00', '/..\\start.mjs', '/filesystem'],
  ]) {
    const response = await sendRaw(
      port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    )
    expect([path, response.split('\r\n', 1)[0]]).toEqual([path, 'HTTP/1.1 404 Not Found'])
  }
  const refused = await send({ method: 'POST', url: server })
  expect([refused.status, refused.headers['allow']]).toEqual([405, 'GET, HEAD'])
  const bodiless = await send({ method: 'HEAD', url: server })
  expect([bodiless.status, bodiless.text]).toEqual([200, ''])
})

interface Visit {
  readonly page: Page
  readonly proxy: UnreliableProxy
  /** The origin of the server, past the proxy. */
  readonly server: string
  /** The requests of the page to the handler: methods, and the offsets of PATCH. */
  readonly requests: string[]
  /** The errors in the console. */
  readonly complaints: string[]
  /** Chooses large files, and holds their connections when a part of each is stored. */
  begin(...names: readonly string[]): Promise<void>
  /** The ids of the uploads on the server. */
  ids(): Promise<string[]>
  /** The contents of the uploads on the server. */
  stored(): Promise<Buffer[]>
}

/** Opens the page in a new browser context, through a proxy, from a new server. */
async function visit(): Promise<Visit> {
  const { server, uploads } = await startProgram()
  const proxy = await startProxy(Number(new URL(server).port))
  const context = await browser.newContext({ viewport: { width: 900, height: 720 } })
  onTestFinished(() => context.close())
  context.setDefaultTimeout(50_000)
  const page = await context.newPage()
  const requests: string[] = []
  page.on('request', (request) => {
    if (!new URL(request.url()).pathname.startsWith('/files/')) return
    const offset = request.headers()['upload-offset']
    requests.push(offset === undefined ? request.method() : `${request.method()} ${offset}`)
  })
  const complaints: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(proxy.origin)

  const ids = async () => (await readdir(uploads)).filter((name) => !name.startsWith('.'))
  const stored = async () => Promise.all((await ids()).map((id) => readFile(join(uploads, id))))
  const begin = async (...names: readonly string[]) => {
    const count = (await ids()).length + names.length
    const held = proxy.holdAfter(some, names.length)
    await choose(page, ...names)
    await held
    await until(stored, (all) => all.filter(({ length }) => length > 0).length === count)
  }
  return { page, proxy, server, requests, complaints, begin, ids, stored }
}

/** Starts the program of `npm start`, and stops it when the test ends. */
async function startProgram(): Promise<{ readonly server: string; readonly uploads: string }> {
  const uploads = await temporaryDirectory()
  const parameters = ['--page', '--port', '0', '--data', `file:${uploads}`, '--log-level', 'warn']
  const child = spawn(process.execPath, ['--import', preload, program, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  for await (const line of createInterface(child.stdout)) {
    const [, server] = /page .*(http:\S+)\/$/.exec(line) ?? []
    if (server !== undefined) return { server, uploads }
  }
  throw new Error('The program ended before it printed the URL of its page')
}

function file(name: string): string {
  return join(directory, name)
}

async function choose(page: Page, ...names: readonly string[]): Promise<void> {
  await page.getByLabel('Choose files').setInputFiles(names.map(file))
}

function rowOf(page: Page, name: string): Locator {
  return page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) })
}

function button(row: Locator, name: string): Locator {
  return row.getByRole('button', { name })
}

/** Waits until the text of an element matches. */
function textOf(element: Locator, pattern: RegExp): Promise<string> {
  return until(
    () => element.innerText(),
    (text) => pattern.test(text),
  )
}

/** Returns the violations that axe finds, in words. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()')
  return violations.flatMap(({ help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${help}: ${html}: ${failureSummary}`),
  )
}

async function shoot(page: Page, name: string): Promise<void> {
  if (screenshots !== undefined) {
    await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })
  }
}
