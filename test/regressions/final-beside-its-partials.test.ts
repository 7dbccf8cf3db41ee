import { expect, test } from 'vitest'
import { memoryComposer, patch, post, remove, serve } from '../support/serve.js'
import { newGate } from '../support/stages.js'

async function finalInTheMaking() {
  const slow = newGate()
  const composer = memoryComposer().useFinisher({ async finish() {} })
  const access = ({ action }: { action: string }) =>
    action === 'concatenate' ? slow.pass() : Promise.resolve()
  const site = await serve({ composer, hooks: { access } })
  const partial = await post(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const { location } = partial.headers
  const final = post(site, { 'upload-concat': `final;${location}` })
  await slow.reached
  return { url: `${site.origin}${location}`, final, proceed: slow.open }
}

test('a final upload can be created while its last partial is being finished', async () => {
  const { url, final, proceed } = await finalInTheMaking()
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  proceed()
  const { status, text } = await final
  expect([status, text]).toEqual([201, ''])
})

test('a final upload is refused when its partial is removed during the creation', async () => {
  const { url, final, proceed } = await finalInTheMaking()
  expect((await remove(url)).status).toBe(204)
  proceed()
  const { status, text } = await final
  expect([status, text.slice(0, 15)]).toEqual([410, 'ERR_UPLOAD_GONE'])
})
