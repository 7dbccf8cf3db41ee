import { describe, expect, test } from 'vitest'
import { createCors, type Cors, type CorsOptions } from '../../src/http/cors.js'

const page = 'https://example.org'

function cors(options: true | CorsOptions): Cors {
  const created = createCors(options)
  if (!created) throw new Error('CORS is off')
  return created
}

function list(value: string | undefined): string[] {
  return (value ?? '').split(',').map((name) => name.trim())
}

test.each([undefined, false])('T-011 is off with %s', (options) => {
  expect(createCors(options)).toBeUndefined()
})

describe('T-011 all origins', () => {
  test.each([undefined, page, 'null'])('allows %s', (origin) => {
    const { headers } = cors(true)
    expect(headers(origin)).toMatchObject({ 'access-control-allow-origin': '*' })
    expect(headers(origin)).not.toHaveProperty('vary')
    expect(headers(origin)).not.toHaveProperty('access-control-allow-credentials')
  })

  test.each<CorsOptions>([{ credentials: true }, { credentials: true, origins: ['*', page] }])(
    'never says * together with credentials: %j',
    (options) => {
      const { headers } = cors(options)
      expect(headers('https://other.example')).toMatchObject({
        'access-control-allow-origin': 'https://other.example',
        'access-control-allow-credentials': 'true',
        vary: 'Origin',
      })
      expect(headers(undefined)).toEqual({ vary: 'Origin' })
    },
  )
})

describe('T-011 some origins', () => {
  test.each<[origins: NonNullable<CorsOptions['origins']>, allowed: string[], refused: string[]]>([
    [
      page,
      [page, 'HTTPS://Example.ORG'],
      ['http://example.org', 'https://example.org:8443', 'https://a.example.org', 'null', ''],
    ],
    [
      page,
      [],
      ['https://example.org.evil', 'https://example.orgx', `${page}/`, `${page}, ${page}`],
    ],
    ['https://EXAMPLE.org:443', [page], ['https://example.org:444']],
    ['https://bücher.example', ['https://xn--bcher-kva.example'], []],
    ['capacitor://localhost', ['capacitor://localhost'], ['http://localhost']],
    ['null', ['null'], [page]],
    [
      /https:\/\/(.+\.)?example\.org/,
      [page, 'https://a.example.org'],
      ['https://example.org.evil'],
    ],
    [/https:\/\/example\.org/, [page], [`evil${page}`, `https://evil/?${page}`, `${page}:81`]],
    [/^https:\/\/example\.org$|http:\/\/b/, [page, 'http://b'], ['http://bc', `x${page}`]],
    [/^https:\/\/a|https:\/\/ab$/, ['https://a', 'https://ab'], ['https://abc']],
    [/HTTPS:\/\/EXAMPLE\.ORG/i, [page], []],
    [/https:\/\/example\.org/gy, [page, page, page], []],
    [/^https:\/\/example\.org$/m, [page], [`https://evil\n${page}`]],
    [['https://a.example', /https:\/\/b\d/], ['https://a.example', 'https://b1'], ['https://b']],
    [[], [], [page, 'null']],
    [(origin) => origin.endsWith('.org'), [page], ['https://example.com']],
  ])('%s', (origins, allowed, refused) => {
    const { headers, preflight } = cors({ origins })
    for (const origin of allowed) {
      expect(headers(origin)).toMatchObject({ 'access-control-allow-origin': origin })
      expect(headers(origin)).toMatchObject({ vary: 'Origin' })
    }
    for (const origin of refused) {
      expect(headers(origin)).toEqual({ vary: 'Origin' })
      expect(preflight(origin, undefined)).toEqual({ vary: 'Origin' })
    }
    expect(headers(undefined)).toEqual({ vary: 'Origin' })
  })

  test('a promise is not consent', () => {
    const origins = (async () => true) as unknown as () => boolean
    expect(cors({ origins }).headers(page)).toEqual({ vary: 'Origin' })
  })

  test('later changes to the list have no effect', () => {
    const origins = [page]
    const { headers } = cors({ origins })
    origins.push('https://evil.example')
    expect(headers('https://evil.example')).toEqual({ vary: 'Origin' })
  })
})

test('T-011 exposes the headers that clients read, and those that the application adds', () => {
  const { headers } = cors({ exposeHeaders: ['X-Trace'] })
  expect(list(headers(page)['access-control-expose-headers'])).toEqual(
    expect.arrayContaining([
      ...['Location', 'Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Upload-Defer-Length'],
      ...['Upload-Concat', 'Upload-Expires', 'Tus-Version', 'Tus-Resumable', 'Tus-Max-Size'],
      ...['Tus-Extension', 'Tus-Checksum-Algorithm', 'Upload-Complete', 'Upload-Limit'],
      ...['Upload-Draft-Interop-Version', 'Content-Disposition', 'ETag', 'Content-Range'],
      ...['Accept-Ranges', 'Retry-After', 'X-Trace'],
    ]),
  )
})

describe('T-011 T-025 preflight', () => {
  test('allows everything that the protocols need', () => {
    const headers = cors({ allowHeaders: ['X-Csrf'] }).preflight(page, undefined)
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-max-age': '86400',
    })
    expect(list(headers['access-control-allow-methods'])).toEqual([
      ...['POST', 'PUT', 'HEAD', 'PATCH', 'OPTIONS', 'GET', 'DELETE'],
    ])
    expect(list(headers['access-control-allow-headers'])).toEqual(
      expect.arrayContaining([
        ...['Tus-Resumable', 'Upload-Length', 'Upload-Offset', 'Upload-Metadata', 'Content-Type'],
        ...['Upload-Defer-Length', 'Upload-Concat', 'Upload-Checksum', 'Upload-Complete'],
        ...['Upload-Draft-Interop-Version', 'X-HTTP-Method-Override', 'X-Request-ID'],
        ...['Authorization', 'X-Csrf'],
      ]),
    )
  })

  test('allows every header that begins with Upload-, and no others that are requested', () => {
    const requested =
      'upload-future, Upload-Other,upload-, x-evil, upload-a b, upload-é,,upload-c\r\nd'
    const headers = cors(true).preflight(page, requested)
    const names = list(headers['access-control-allow-headers'])
    expect(names).toEqual(expect.arrayContaining(['upload-future', 'upload-other']))
    expect(names.filter((name) => /evil|^upload-$|upload-a|upload-é|upload-c/.test(name))).toEqual(
      [],
    )
  })

  test('returns how long it may be cached', () => {
    const headers = cors({ maxAge: 0 }).preflight(page, undefined)
    expect(headers['access-control-max-age']).toBe('0')
  })

  test('carries credentials and Vary for one origin', () => {
    const headers = cors({ origins: [page], credentials: true }).preflight(page, undefined)
    expect(headers).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    })
  })
})

test.each<[name: string, options: unknown]>([
  ['origins', { origins: 'example.org' }],
  ['origins', { origins: `${page}/` }],
  ['origins', { origins: `${page}/path` }],
  ['origins', { origins: 'https://*.example.org' }],
  ['origins', { origins: `${page}, ${page}` }],
  ['origins', { origins: 'https://exa mple.org' }],
  ['origins', { origins: 'https://user@example.org' }],
  ['origins', { origins: 'https://a:99999' }],
  ['origins', { origins: '' }],
  ['origins', { origins: [page, 5] }],
  ['origins', { origins: [[page]] }],
  ['origins', { origins: null }],
  ['credentials', { credentials: 'yes' }],
  ['allowHeaders', { allowHeaders: 'X-A' }],
  ['allowHeaders', { allowHeaders: ['X-A, X-B'] }],
  ['allowHeaders', { allowHeaders: ['X-A\r\nX-B'] }],
  ['allowHeaders', { allowHeaders: [undefined] }],
  ['exposeHeaders', { exposeHeaders: [''] }],
  ['exposeHeaders', { exposeHeaders: [5] }],
  ['maxAge', { maxAge: -1 }],
  ['maxAge', { maxAge: '60' }],
  ['maxAge', { maxAge: 1.5 }],
  ['maxAge', { maxage: 1 }],
  ['cors', null],
  ['cors', 'yes'],
])('the option %s must be right: %j', (name, options) => {
  expect(() => createCors(options as CorsOptions)).toThrow(
    expect.toSatisfy((error) => error instanceof TypeError && error.message.includes(name)),
  )
})
