import { expect, test } from 'vitest'
import type { HookCall, UnplacedUpload } from 'tuskit'
import { formatHookCall, hookFormats, parseHookReply } from 'tuskit/hook-formats'

const upload: UnplacedUpload = {
  id: 'a',
  revision: 1,
  protocol: 'tus',
  length: 10,
  metadata: { raw: '', values: {} },
  createdAt: '2026-11-28T12:00:00.000Z',
  finish: 'recorded',
  state: { kind: 'open' },
}
const request = { method: 'POST', target: '/files', headers: {} }
const call: HookCall = {
  event: { type: 'post-create', id: 'a/post-create' },
  upload: { ...upload, storage: { kind: 'file', at: { path: 'ann/a', version: '7' } } },
  offset: 0,
  request,
}

test('the place of the data is described as the store does, unless an option describes it', () => {
  expect(formatHookCall(call)).toMatchObject({
    Event: { Upload: { Storage: { Type: 'file', Path: 'ann/a', Version: '7' } } },
  })
  expect(formatHookCall(call, { format: 'rustus' })).toMatchObject({
    upload: { storage: 'file', path: 'ann/a', created_at: 1795867200 },
  })
  const storage = () => ({ Type: 'filestore', Path: '/srv/ann/a' })
  expect(formatHookCall(call, { storage })).toMatchObject({
    Event: { Upload: { Storage: { Type: 'filestore', Path: '/srv/ann/a' } } },
  })
})

test.each([
  [{ remoteAddress: '192.0.2.7', remotePort: 1234 }, '192.0.2.7:1234'],
  [{ remoteAddress: '2001:db8::7', remotePort: 1234 }, '[2001:db8::7]:1234'],
  [{}, '@'],
])('the address of the peer is written as tusd does: %j', (peer, address) => {
  expect(formatHookCall({ ...call, request: { ...request, ...peer } })).toMatchObject({
    Event: { HTTPRequest: { RemoteAddr: address } },
  })
})

test.each(hookFormats)('a message without a request has all members: %s', (format) => {
  const shape = (value: object): object =>
    Object.fromEntries(
      Object.entries(value).map(([name, member]: [string, unknown]) => [
        name,
        typeof member === 'object' && member !== null && !/header/i.test(name)
          ? shape(member)
          : typeof member === 'object',
      ]),
    )
  const without = formatHookCall({ ...call, request: undefined }, { format })
  expect(Object.keys(shape(without))).toEqual(Object.keys(shape(formatHookCall(call, { format }))))
  expect(JSON.stringify(without)).not.toContain('undefined')
})

test('access names the action, and has no upload for a creation', () => {
  const access: HookCall = {
    event: { type: 'access', id: '/access' },
    upload: undefined,
    offset: 0,
    action: 'create',
    request,
  }
  expect(formatHookCall(access)).toMatchObject({
    Type: 'access',
    Event: { Action: 'create', Upload: { ID: '', Size: 0, SizeIsDeferred: false } },
  })
})

test.each([
  ['access', '{"RejectUpload":true}', { reject: true }],
  ['access', '{"HTTPResponse":{"StatusCode":401}}', { reject: { status: 401 } }],
  ['access', '{"HTTPResponse":{"StatusCode":200},"ChangeFileInfo":{"ID":"a"}}', {}],
  ['pre-create', '', {}],
  ['pre-create', ' \n', {}],
  ['pre-create', '{"REJECTUPLOAD":true}', { reject: true }],
  ['pre-create', '{"httpResponse":{"statusCode":413}}', { reject: { status: 413 } }],
  ['pre-create', '{"HTTPResponse":{"StatusCode":0}}', { response: {} }],
  ['post-receive', '{"StopUpload":true,"RejectUpload":true}', { stop: true }],
  ['post-finish', 'thanks', {}],
] as const)('the reply to %s is understood: %s', (type, text, reply) => {
  expect(parseHookReply(text, type)).toEqual(reply)
})

test('metadata may have any key, even one that objects have', () => {
  const text = '{"ChangeFileInfo":{"MetaData":{"__proto__":"a","constructor":"b"}}}'
  const { metadata } = parseHookReply(text, 'pre-create')
  expect(Object.entries(metadata!)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
})

test.each([
  'true',
  '[]',
  '"text"',
  '{"RejectUpload":1}',
  '{"RejectUpload":{}}',
  '{"HTTPResponse":[]}',
  '{"HTTPResponse":{"StatusCode":"403"}}',
  '{"HTTPResponse":{"StatusCode":403.5}}',
  '{"HTTPResponse":{"StatusCode":101}}',
  '{"HTTPResponse":{"Body":{}}}',
  '{"HTTPResponse":{"Header":{"X-Reason":["a"]}}}',
  '{"HTTPResponse":{"Header":{"bad name":"a"}}}',
  '{"ChangeFileInfo":{"ID":7}}',
  '{"ChangeFileInfo":{"MetaData":[]}}',
  '{"ChangeFileInfo":{"Storage":{"Path":7}}}',
])('a reply that makes no sense is ERR_HOOK_REPLY: %s', (text) => {
  expect(() => parseHookReply(text, 'pre-create')).toThrow(
    expect.objectContaining({ code: 'ERR_HOOK_REPLY' }) as Error,
  )
})
