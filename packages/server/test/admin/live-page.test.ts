import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import axe from 'axe-core'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ensureProgram } from '../../../../test/house/debian-packages.mjs'
import { createUpload, listen, openPatch, patch, remove } from '../../../../test/support/serve.js'
import { createAdminListener } from '../../src/admin/admin-listener.js'
import { memoryComposer, watch, type WatchedSite } from '../monitor/watched-site.js'

/** A browser to use instead of Debian's, and a folder for screenshots. */
const { CHROMIUM: ownChromium, SCREENSHOTS: screenshots } = process.env

let browser: Browser

beforeAll(async () => {
  if (ownChromium === undefined) ensureProgram('chromium')
  browser = await chromium.launch({
    executablePath: ownChromium ?? '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
    ],
  })
})

afterAll(() => browser?.close())

interface Visit {
  readonly page: Page
  readonly server: Server
  readonly origin: string
  /** The errors in the console. */
  readonly complaints: string[]
}

/** Opens the page of an admin listener over the sites. */
async function visit(...sites: readonly WatchedSite[]): Promise<Visit> {
  const reports = () => Promise.all(sites.map(({ report }) => report()))
  const server = createServer(createAdminListener({ reports, ready: async () => [] }))
  const origin = `http://127.0.0.1:${await listen(server)}`
  onTestFinished(() => stop(server))
  const context = await browser.newContext({ viewport: { width: 1000, height: 720 } })
  onTestFinished(() => context.close())
  context.setDefaultTimeout(50_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => complaints.push(dialog.message()))
  await page.goto(origin)
  return { page, server, origin, complaints }
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

function create(site: WatchedSite, name: string, length?: number): Promise<string> {
  const filename = Buffer.from(name).toString('base64')
  return createUpload(site, {
    ...(length === undefined ? { 'upload-defer-length': '1' } : { 'upload-length': `${length}` }),
    'upload-metadata': `filename ${filename}`,
  })
}

/** Begins to send an upload, and holds it. */
async function begin(site: WatchedSite, name: string, length?: number, first = 'hello') {
  const { request } = openPatch(await create(site, name, length), 0)
  request.write(first)
  onTestFinished(() => void request.destroy())
  return request
}

function rowOf(page: Page, name: string): Locator {
  return page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) })
}

function valueOf(row: Locator): Promise<number> {
  const bar = row.getByRole('progressbar')
  // The types of the DOM are not available here.
  return bar.evaluate((element) => (element as unknown as { readonly value: number }).value)
}

async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()')
  return violations.flatMap(({ help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${help}: ${html}: ${failureSummary}`),
  )
}

async function shoot(page: Page, name: string): Promise<void> {
  if (screenshots !== undefined) {
    await page.screenshot({ path: join(screenshots, `live-${name}.png`), fullPage: true })
  }
}

test('progress moves while bytes come, and a finished upload goes', async () => {
  const site = await watch()
  const { page, complaints } = await visit(site)
  await page.getByText('0 active, 0 idle · 1 worker').waitFor()
  const request = await begin(site, 'holiday.mp4', 20, 'hello')
  const row = rowOf(page, 'holiday.mp4')
  await row.getByText('5 B of 20 B · 25 %').waitFor()
  expect(await valueOf(row)).toBe(0.25)
  await row.getByText('Receiving').waitFor()
  await row.getByText(/^worker 0 for \d+ s$/).waitFor()
  await page.getByText('1 active, 0 idle · 1 worker').waitFor()
  request.write('hello')
  await row.getByText('10 B of 20 B · 50 %').waitFor()
  expect(await valueOf(row)).toBe(0.5)
  request.end('0123456789')
  await row.waitFor({ state: 'detached' })
  expect(complaints).toEqual([])
})

test('names and ids are shown as text', async () => {
  const site = await watch()
  const { page, complaints } = await visit(site)
  const name = `<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;.txt`
  await begin(site, name, 20)
  await page.getByRole('heading', { name, exact: true }).waitFor()
  expect(await page.locator('.name').innerText()).toBe(name)
  expect(await page.locator('main img, main script').count()).toBe(0)
  expect(complaints).toEqual([])
})

test('a stalled upload shows, and so do its errors', async () => {
  const site = await watch({ monitor: { stalledAfter: 100 } })
  const { page } = await visit(site)
  const url = await create(site, 'holiday.mp4', 20)
  await patch(url, 7, 'a')
  await patch(url, 7, 'a')
  const { request } = openPatch(url, 0)
  request.write('hello')
  onTestFinished(() => void request.destroy())
  const row = rowOf(page, 'holiday.mp4')
  await row.getByText('Stalled').waitFor()
  await row.getByText('ERR_OFFSET_MISMATCH × 2').waitFor()
  await page
    .getByText(/^ERR_OFFSET_MISMATCH · 409 · PATCH · \d+ s ago/)
    .first()
    .waitFor()
  request.destroy()
  await row.getByText('Idle').waitFor()
})

test('uploads of two workers, and a lock that another holds', async () => {
  const composer = memoryComposer()
  let finish = () => {}
  const finishing = new Promise<void>((resolve) => (finish = resolve))
  const one = await watch({ composer, hooks: { preFinish: () => finishing } })
  const two = await watch({ composer, monitor: { worker: 1 } })
  const { page } = await visit(one, two)
  await begin(one, 'first.mp4', 20)
  await begin(two, 'second.mp4')
  await rowOf(page, 'first.mp4').getByText('worker 0 for').waitFor()
  await rowOf(page, 'second.mp4').getByText('worker 1 for').waitFor()
  await rowOf(page, 'second.mp4').getByText('5 B of an unknown size').waitFor()
  await page.getByText('2 active, 0 idle · 2 workers').waitFor()

  const url = await create(one, 'third.mp4', 5)
  const patching = patch(url, 0, 'hello')
  await rowOf(page, 'third.mp4').getByText('worker 0 for').waitFor()
  const removing = remove(url.replace(one.origin, two.origin))
  const { page: pageOfTwo } = await visit(two)
  const waiting = rowOf(pageOfTwo, 'third.mp4')
  await waiting.getByText('Waiting for the lock').waitFor()
  await waiting.getByText('held elsewhere').waitFor()
  finish()
  expect((await patching).status).toBe(204)
  expect((await removing).status).toBe(204)
  await waiting.waitFor({ state: 'detached' })
})

test('the page recovers when the server has restarted', async () => {
  const site = await watch()
  const { page, server, origin } = await visit(site)
  await begin(site, 'holiday.mp4', 20)
  await rowOf(page, 'holiday.mp4').waitFor()
  await stop(server)
  const status = page.getByRole('status')
  await status.getByText('The server does not respond').waitFor()
  expect(await rowOf(page, 'holiday.mp4').count()).toBe(1)
  await begin(site, 'concert.wav', 20)
  server.listen(Number(new URL(origin).port), '127.0.0.1')
  await rowOf(page, 'concert.wav').waitFor()
  expect(await status.innerText()).toBe('')
})

test.each(['light', 'dark'] as const)('axe finds no violations, %s', async (colorScheme) => {
  const site = await watch({ monitor: { stalledAfter: 100 } })
  const { page, server } = await visit(site)
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  await page.getByText('0 active').waitFor()
  expect(await violations(page)).toEqual([])
  await begin(site, 'holiday.mp4', 20)
  await begin(site, `${'a-name-without-any-space-'.repeat(20)}.mp4`)
  const url = await create(site, 'notes.txt', 20)
  await patch(url, 7, 'a')
  await rowOf(page, 'holiday.mp4').getByText('Stalled').waitFor()
  await rowOf(page, 'notes.txt').getByText('Idle').waitFor()
  await page.getByText(/^ERR_OFFSET_MISMATCH · 409/).waitFor()
  expect(await violations(page)).toEqual([])
  const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
  expect(background).toBe(colorScheme === 'dark' ? 'rgb(23, 25, 28)' : 'rgb(246, 245, 242)')
  await shoot(page, colorScheme)

  await page.setViewportSize({ width: 360, height: 720 })
  expect(await violations(page)).toEqual([])
  const [width, columns] = await page.evaluate<[number, string]>(
    `[document.documentElement.scrollWidth,
      getComputedStyle(document.getElementById('uploads')).gridTemplateColumns]`,
  )
  expect(width).toBe(360)
  expect(columns.split(' ')).toHaveLength(1)
  await shoot(page, `${colorScheme}-narrow`)

  await stop(server)
  await page.getByRole('status').getByText('does not respond').waitFor()
  expect(await violations(page)).toEqual([])
  await shoot(page, `${colorScheme}-broken`)
})
