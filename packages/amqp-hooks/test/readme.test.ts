import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReadme } from '../../../test/docs/start-readme.js'
import { post, temporaryDirectory, until } from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { consume } from './consumer.js'

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

test('the program of the README sends the events of its uploads', async () => {
  const url = await broker.createHost()
  const directory = await temporaryDirectory()
  const { origin } = await startReadme('amqp-hooks', [
    ['amqp://localhost?', `${url}?`],
    ["'./uploads'", `'${directory}/uploads'`],
    ["'./events'", `'${directory}/events'`],
  ])
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
