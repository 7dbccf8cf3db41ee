import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readPage, root } from '../../../test/docs/pages.js'
import { freePort } from '../../../test/support/free-port.js'
import { post, temporaryDirectory, until } from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { consume } from './consumer.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

test('the program of the README sends the events of its uploads', async () => {
  const { blocks } = await readPage('packages/amqp-hooks/README.md')
  const { code } = blocks.find(({ name }) => name === 'server.mjs')!
  const url = await broker.createHost()
  const directory = await temporaryDirectory()
  const port = await freePort()
  const adapted = [
    ['amqp://localhost?', `${url}?`],
    ["'./uploads'", `'${directory}/uploads'`],
    ["'./events'", `'${directory}/events'`],
    ['listen(1080', `listen(${port}`],
  ].reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from!, to!)
  }, code)
  const args = ['--import', preload, '--input-type=module', '--eval', adapted]
  const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void server.kill())
  await once(server.stdout, 'data')

  const origin = `http://127.0.0.1:${port}`
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  // With an outbox, the queue is declared before its first message, and no upload waits for that.
  const received = await until(
    () => consume(url, 'finished-uploads').catch(() => undefined),
    (found) => found !== undefined,
  )
  await until(
    async () => received!,
    (messages) => messages.length === 1,
  )
  expect(received![0]!.body).toMatchObject({ Type: 'post-finish', Event: { Upload: { Size: 5 } } })
})
