import {
  age,
  count,
  duration,
  listOf,
  mode,
  oneOf,
  port,
  size,
  text,
  yesOrNo,
} from './value-types.js'
import type { ValueType } from './value-types.js'

/** A setting: a flag, a variable and a key of the configuration file, all with one name. */
export interface Setting<Value = unknown> {
  readonly type: ValueType<Value>
  /** One sentence or two, for the help and the documentation. */
  readonly description: string
  /** As it would be typed. Absent: the description says what happens. */
  readonly default?: string
  /** Whether a variable and key with `_FILE` may name a file that contains the value. */
  readonly isSecret?: true
  readonly group: Group
}

/** A heading in the documentation. Commands take the settings of some groups. */
export type Group = 'storage' | 'uploads' | 'listening' | 'hooks' | 'operation'

const events = listOf(
  oneOf(
    ...(['access', 'pre-create', 'post-create', 'post-receive'] as const),
    ...(['pre-finish', 'post-finish', 'pre-terminate', 'post-terminate'] as const),
  ),
)

const features = listOf(
  oneOf(
    ...(['creation', 'creation-with-upload', 'creation-defer-length', 'expiration'] as const),
    ...(['checksum', 'checksum-trailer', 'termination', 'concatenation'] as const),
    ...(['concatenation-unfinished', 'download', 'ietf-draft', 'method-override'] as const),
  ),
)

/** All settings, by the name of their flag. */
export const settings = {
  data: {
    group: 'storage',
    type: text('URL'),
    default: 'file:./data',
    description: 'Where the bytes of uploads are kept.',
  },
  info: {
    group: 'storage',
    type: text('URL'),
    description: 'Where the records of uploads are kept. By default next to the data.',
  },
  locks: {
    group: 'storage',
    type: text('URL'),
    description:
      'Where the locks of uploads are kept. By default next to the data. memory: is faster, but only one process may then use the uploads.',
  },
  limit: {
    group: 'storage',
    type: size,
    description: 'How much space all uploads together may use. By default as much as there is.',
  },
  'dir-structure': {
    group: 'storage',
    type: text('template'),
    description:
      'Folders for the data, such as {year}/{month}/{day}, with {hour}, {minute} and {env[NAME]} too. Times are those of the creation, in UTC. By default there are none.',
  },
  'file-names': {
    group: 'storage',
    type: oneOf('id', 'original'),
    default: 'id',
    description:
      'Names of the files: the id of the upload, or the name that the client gave, made safe, with the id.',
  },
  plugin: {
    group: 'storage',
    type: listOf(text('module')),
    description: 'Packages or files that add stores, lockers and hooks, each with URLs of its own.',
  },
  'base-path': {
    group: 'uploads',
    type: text('path'),
    default: '/files/',
    description: 'The path below which uploads live, as clients see it.',
  },
  'max-size': {
    group: 'uploads',
    type: size,
    description: 'The largest upload. By default there is no limit.',
  },
  'max-append-size': {
    group: 'uploads',
    type: size,
    description:
      'The largest body of one request, for proxies that limit requests. By default there is no limit.',
  },
  disable: {
    group: 'uploads',
    type: features,
    description:
      'Features that clients do not get: creation, creation-with-upload, creation-defer-length, expiration, checksum, checksum-trailer, termination, concatenation, concatenation-unfinished, download, ietf-draft or method-override.',
  },
  'expire-after': {
    group: 'uploads',
    type: age,
    description: 'When unfinished uploads expire. By default never.',
  },
  'expire-finished-after': {
    group: 'uploads',
    type: age,
    description: 'When finished uploads are removed. By default never.',
  },
  'sweep-every': {
    group: 'uploads',
    type: duration,
    default: '1h',
    description: 'How often expired uploads are removed.',
  },
  'checksum-metadata': {
    group: 'uploads',
    type: text('key'),
    description: 'The key of the metadata that holds a digest of the whole file.',
  },
  'interim-responses': {
    group: 'uploads',
    type: yesOrNo,
    default: 'false',
    description:
      'Sends 104 responses, which URLSession needs to resume. Some proxies fail because of them.',
  },
  'lock-timeout': {
    group: 'uploads',
    type: duration,
    default: '15s',
    description: 'How long a request waits for the lock of an upload.',
  },
  'idle-timeout': {
    group: 'uploads',
    type: duration,
    default: '60s',
    description: 'How long a client may send nothing in the middle of a request.',
  },
  host: {
    group: 'listening',
    type: text('address'),
    default: '127.0.0.1',
    description: 'The address to listen on. 0.0.0.0 or :: listens on all of them.',
  },
  port: {
    group: 'listening',
    type: port,
    default: '1080',
    description: 'The port to listen on. 0 takes any free one.',
  },
  'unix-socket': {
    group: 'listening',
    type: text('path'),
    description: 'A Unix domain socket to listen on, instead of host and port.',
  },
  'unix-socket-mode': {
    group: 'listening',
    type: mode,
    default: '660',
    description: 'The mode of the Unix domain socket.',
  },
  'tls-cert': {
    group: 'listening',
    type: text('file'),
    description:
      'The certificate chain (PEM), which turns on HTTPS with HTTP/2. Is read again on SIGHUP.',
  },
  'tls-key': {
    group: 'listening',
    type: text('file'),
    description: 'The private key (PEM). Is read again on SIGHUP.',
  },
  'behind-proxy': {
    group: 'listening',
    type: listOf(text('address')),
    description:
      'The proxies whose Forwarded and X-Forwarded-* headers count: addresses, ranges such as 10.0.0.0/8, or unix: for a Unix domain socket. By default none.',
  },
  'public-url': {
    group: 'listening',
    type: text('URL'),
    description:
      'The URL of the base path in Location headers. By default they hold a path, which is right for most proxies.',
  },
  cors: {
    group: 'listening',
    type: listOf(text('origin')),
    description:
      'Origins whose pages may upload, such as https://example.org, or * for all. By default only pages of the same origin.',
  },
  'cors-credentials': {
    group: 'listening',
    type: yesOrNo,
    default: 'false',
    description: 'Lets those pages send cookies. Needs origins, not *.',
  },
  'cors-allow-headers': {
    group: 'listening',
    type: listOf(text('name')),
    description: 'More request headers that those pages may send.',
  },
  'cors-expose-headers': {
    group: 'listening',
    type: listOf(text('name')),
    description: 'More response headers that those pages may read.',
  },
  page: {
    group: 'listening',
    type: yesOrNo,
    default: 'false',
    description: 'Serves a page to upload from at /.',
  },
  workers: {
    group: 'listening',
    type: count,
    default: '1',
    description: 'Processes that share the port. One that dies is replaced.',
  },
  'hooks-dir': {
    group: 'hooks',
    type: text('folder'),
    description: 'Programs that are named after events, such as pre-create.',
  },
  'hooks-program': {
    group: 'hooks',
    type: text('file'),
    description: 'One program for all events.',
  },
  'hooks-program-input': {
    group: 'hooks',
    type: oneOf('stdin', 'argument'),
    default: 'stdin',
    description: 'How programs get the message.',
  },
  'hooks-http': {
    group: 'hooks',
    type: listOf(text('URL')),
    description: 'URLs that events are sent to, one after the other.',
  },
  'hooks-http-forward-headers': {
    group: 'hooks',
    type: listOf(text('name')),
    description: 'Headers of the client that are passed on to the URLs.',
  },
  'hooks-http-secret': {
    group: 'hooks',
    type: text('whsec_…'),
    isSecret: true,
    description: 'The key that signs the messages, in the form of Standard Webhooks.',
  },
  'hooks-http-attempts': {
    group: 'hooks',
    type: count,
    default: '3',
    description: 'How often a message is sent, at most.',
  },
  'hooks-http-backoff': {
    group: 'hooks',
    type: duration,
    default: '1s',
    description: 'The wait before the second attempt. Later waits grow.',
  },
  'hooks-url': {
    group: 'hooks',
    type: listOf(text('URL')),
    isSecret: true,
    description: 'Hooks from packages, such as amqp://localhost with @tuskit/amqp-hooks.',
  },
  'hooks-timeout': {
    group: 'hooks',
    type: duration,
    default: '15s',
    description: 'How long a program, or one attempt to reach a URL, may take.',
  },
  'hooks-events': {
    group: 'hooks',
    type: events,
    description:
      'The events that are sent. By default all but access, pre-finish and pre-terminate; of a folder, those that it has a program for.',
  },
  'hooks-format': {
    group: 'hooks',
    type: oneOf('tusd', 'rustus', 'rustus-v2', 'rustus-tusd'),
    default: 'tusd',
    description: 'The form of the messages: that of tusd 2, or one of the three of Rustus.',
  },
  'hooks-progress-every': {
    group: 'hooks',
    type: duration,
    default: '1s',
    description: 'The minimum time between two post-receive events of an upload.',
  },
  'hooks-outbox': {
    group: 'hooks',
    type: text('folder'),
    description:
      'Keeps post-create, post-finish and post-terminate here until all hooks have taken them, across crashes. By default they are sent once.',
  },
  admin: {
    group: 'operation',
    type: text('host:port'),
    description:
      'Where health checks, metrics and the page of live uploads are served. By default nowhere.',
  },
  'log-level': {
    group: 'operation',
    type: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    description: 'The least important messages that are logged.',
  },
  'log-format': {
    group: 'operation',
    type: oneOf('json', 'pretty'),
    description: 'The form of the log. By default pretty on a terminal and JSON otherwise.',
  },
  'stop-timeout': {
    group: 'operation',
    type: duration,
    default: '10s',
    description: 'How long running requests may take to end when the program stops.',
  },
} as const satisfies Readonly<Record<string, Setting>>

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name

type Table = typeof settings

/** The values of all settings. Those without a value and without a default are absent. */
export type Settings = {
  readonly [Name in keyof Table as Camel<Name>]: Table[Name]['type'] extends ValueType<infer Value>
    ? Table[Name] extends { readonly default: string }
      ? Value
      : Value | undefined
    : never
}

/** The name of a setting. */
export type SettingName = keyof Table

export const settingNames = Object.keys(settings) as SettingName[]

/** Returns the setting with a name. */
export function settingOf(name: SettingName): Setting {
  return settings[name]
}

/** Returns the variable of a setting. */
export function variableOf(name: string): string {
  return `TUSKIT_${name.toUpperCase().replaceAll('-', '_')}`
}

/** Returns the member of {@link Settings} for a setting. */
export function memberOf(name: string): keyof Settings {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof Settings
}
