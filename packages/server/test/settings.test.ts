import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { settingNames, settingOf, variableOf } from '../src/settings/settings.js'
import { readSettings } from '../src/settings/read-settings.js'
import { temporaryDirectory } from '../../../test/support/serve.js'
import { runProgram, startProgram } from './program.js'

let folder: string

beforeEach(async () => {
  folder = await temporaryDirectory()
})

const mistakes: readonly (readonly [
  mistake: string,
  parameters: readonly string[],
  complaint: RegExp,
])[] = [
  ['a misspelt flag', ['--prot', '1'], /unknown option '--prot'\s+\(Did you mean --port\?\)/],
  ['a misspelt command', ['srve'], /There is no command srve\. Did you mean serve\?/],
  ['a stray word', ['--page', 'false'], /too many arguments/],
  ['a stray word after a command', ['serve', 'now'], /too many arguments/],
  ['a size without a number', ['--max-size', 'big'], /--max-size must be a size in bytes/],
  ['a negative size', ['--max-size=-1'], /--max-size must be a size in bytes/],
  [
    'a time without a unit',
    ['--lock-timeout', '15'],
    /--lock-timeout must be a time with its unit/,
  ],
  ['a port that does not exist', ['--port', '65536'], /--port must be a port from 0 to 65535/],
  [
    'a misspelt word',
    ['--log-format', 'jsno'],
    /one of json, pretty, not 'jsno'\. Did you mean json\?/,
  ],
  ['a misspelt feature', ['--disable', 'download,terminaton'], /--disable must be a list/],
  ['a misspelt scheme', ['--data', 'flie:./data'], /Did you mean file:\?/],
  ['a path instead of a URL', ['--data', './data'], /--data must be a URL such as file:\.\/data/],
  [
    'a misspelt option of a URL',
    ['--data', 'file:./d?durabilty=disk'],
    /Did you mean durability\?/,
  ],
  ['a wrong option of a URL', ['--data', 'file:./d?durability=disc'], /Did you mean disk\?/],
  ['a URL without a directory', ['--data', 'file:'], /must name a directory/],
  [
    'a package that is not installed',
    ['--data', 'gs://bucket'],
    /Run: npm install @tuskit\/gcs-store/,
  ],
  ['a plugin that is not installed', ['--plugin', 'tuskit-none'], /Run: npm install tuskit-none/],
  ['a plugin that is missing', ['--plugin', './none.mjs'], /\.\/none\.mjs cannot be loaded/],
  [
    'a proxy that is no address',
    ['--behind-proxy', 'nginx'],
    /--behind-proxy must be a list with commas; each item must be an IP address/,
  ],
  ['a template with a misspelt name', ['--dir-structure', '{yaer}'], /Did you mean \{year\}\?/],
  ['a template that leaves the directory', ['--dir-structure', 'a/../b'], /--dir-structure/],
  ['a template with a missing variable', ['--dir-structure', '{env[NONE]}'], /variable NONE/],
  ['a certificate without its key', ['--tls-cert', 'a.pem'], /--tls-cert needs --tls-key/],
  ['a missing certificate', ['--tls-cert', 'a', '--tls-key', 'b'], /certificate cannot be read/],
  ['a missing folder of hooks', ['--hooks-dir', './none'], /--hooks-dir/],
  ['a wrong URL of a hook', ['--hooks-http', 'no url'], /--hooks-http/],
  ['a wrong secret', ['--hooks-http', 'http://a', '--hooks-http-secret', 'x'], /'secret' must be/],
  [
    'workers whose locks are apart',
    ['--workers', '2', '--locks', 'memory:'],
    /--workers needs --locks/,
  ],
  [
    'cookies for all origins',
    ['--cors', '*', '--cors-credentials'],
    /needs origins in --cors, not \*/,
  ],
  ['a missing configuration file', ['--config', 'none.yaml'], /--config cannot be read/],
]

test.each(mistakes)('%s stops the start', async (_, parameters, complaint) => {
  const { code, errors, output } = await runProgram(parameters, { cwd: folder })
  expect(errors).toMatch(complaint)
  expect(errors).not.toMatch(/^ +at /m)
  expect({ code, output }).toEqual({ code: 2, output: '' })
})

test.each([
  ['--hooks-http', 'http://user:hush@127.0.0.1:1/'],
  ['--hooks-url', '//user:hush@host'],
  ['--hooks-url', 'kafka://user:hush@host'],
  ['--public-url', 'https://user:hush@host/files/'],
])('the password in %s %s is not printed', async (flag, value) => {
  for (const command of ['serve', 'check']) {
    const { code, errors, output } = await runProgram([command, flag, value], { cwd: folder })
    expect(errors + output).toContain(flag)
    expect(errors + output).not.toContain('hush')
    expect(code).not.toBe(0)
  }
})

test('a line of the configuration file that is not YAML is not printed', async () => {
  await writeFile(join(folder, 'config.yaml'), 'hooks-http-secret: hush: x')
  const { errors } = await runProgram(['--config', 'config.yaml'], { cwd: folder })
  expect(errors).toMatch(/config.yaml is not YAML: .* at line 1/)
  expect(errors).not.toContain('hush')
})

test('a misspelt variable stops the start', async () => {
  const env = { TUSKIT_BASEPATH: '/x' }
  const { code, errors } = await runProgram([], { cwd: folder, env })
  expect(errors).toContain('There is no variable TUSKIT_BASEPATH. Did you mean TUSKIT_BASE_PATH?')
  expect(code).toBe(2)
})

test.each([
  [
    'a misspelt key',
    'prot: 1',
    /There is no setting 'prot' in .*config.yaml\. Did you mean port\?/,
  ],
  ['text that is not YAML', 'port: [', /is not YAML/],
  ['a list', '- port', /must have lines such as/],
  ['a value with members', 'port: { a: 1 }', /must be a text, a number, true, false or a list/],
  ['a wrong value', 'port: many', /'port' in .*config.yaml must be a port/],
])('%s in the configuration file stops the start', async (_, content, complaint) => {
  await writeFile(join(folder, 'config.yaml'), content)
  const { code, errors } = await runProgram(['--config', 'config.yaml'], { cwd: folder })
  expect(errors).toMatch(complaint)
  expect(code).toBe(2)
})

test('a flag counts more than a variable, and a variable more than the file', async () => {
  const config = join(folder, 'config.yaml')
  await writeFile(
    config,
    'base-path: /file/\nhost: 127.0.0.2\npage: true\ndisable: [download, ietf-draft]',
  )
  const settings = readSettings({
    flags: { 'base-path': '/flag/' },
    variables: { TUSKIT_BASE_PATH: '/variable/', TUSKIT_HOST: '127.0.0.3', OTHER: 'x' },
    config,
  })
  expect(settings).toMatchObject({
    basePath: '/flag/',
    host: '127.0.0.3',
    page: true,
    disable: ['download', 'ietf-draft'],
    port: 1080,
  })
})

test('the configuration file can be named by a variable', async () => {
  await writeFile(join(folder, 'config.yaml'), 'base-path: /elsewhere/')
  const { url } = await startProgram([], { cwd: folder, env: { TUSKIT_CONFIG: 'config.yaml' } })
  expect(url).toMatch(/:\d+\/elsewhere\/$/)
})

test('a secret can be in a file', async () => {
  const secret = join(folder, 'secret')
  await writeFile(secret, 'whsec_c2VjcmV0\n')
  const none = { flags: {}, variables: {}, config: undefined }
  const config = join(folder, 'config.yaml')
  await writeFile(config, `hooks-http-secret-file: ${secret}`)
  for (const sources of [
    { ...none, flags: { 'hooks-http-secret-file': secret } },
    { ...none, variables: { TUSKIT_HOOKS_HTTP_SECRET_FILE: secret } },
    { ...none, config },
  ]) {
    expect(readSettings(sources).hooksHttpSecret).toBe('whsec_c2VjcmV0')
  }
  const both = { TUSKIT_HOOKS_HTTP_SECRET: 'a', TUSKIT_HOOKS_HTTP_SECRET_FILE: secret }
  expect(() => readSettings({ ...none, variables: both })).toThrow(
    'Give either TUSKIT_HOOKS_HTTP_SECRET or TUSKIT_HOOKS_HTTP_SECRET_FILE.',
  )
})

test.each([
  ['1048576', 1_048_576],
  ['500MB', 500_000_000],
  ['5GiB', 5 * 1024 ** 3],
  ['1.5 k', 1500],
])('the size %s', (text, bytes) => {
  const { maxSize } = readSettings({
    flags: { 'max-size': text },
    variables: {},
    config: undefined,
  })
  expect(maxSize).toBe(bytes)
})

test('every default is a value of its setting, and every variable is its own', () => {
  const settings = readSettings({ flags: {}, variables: {}, config: undefined })
  const withDefault = settingNames.filter((name) => settingOf(name).default !== undefined)
  expect(Object.keys(settings)).toHaveLength(withDefault.length)
  expect(new Set(settingNames.map(variableOf)).size).toBe(settingNames.length)
})

test('the help lists every setting', async () => {
  const { code, output } = await runProgram(['serve', '--help'])
  expect(code).toBe(0)
  for (const name of settingNames) expect(output).toContain(`--${name}`)
})
