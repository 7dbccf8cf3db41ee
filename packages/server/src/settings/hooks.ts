import { hookFormats, hookTypes } from 'tuskit/hook-formats'
import { count, duration, listOf, oneOf, text } from './value-types.js'
import type { SettingTable } from './setting.js'

/** Which hooks are asked. */
export const hooks = {
  'hooks-dir': {
    type: text('folder'),
    description: 'Programs that are named after events, such as pre-create.',
  },
  'hooks-program': {
    type: text('file'),
    description: 'One program for all events.',
  },
  'hooks-program-input': {
    type: oneOf('stdin', 'argument'),
    default: 'stdin',
    description: 'How programs get the message.',
  },
  'hooks-http': {
    type: listOf(text('URL')),
    description: 'URLs that events are sent to, one after the other.',
  },
  'hooks-http-forward-headers': {
    type: listOf(text('name')),
    description: 'Headers of the client that are passed on to the URLs.',
  },
  'hooks-http-secret': {
    type: text('whsec_…'),
    isSecret: true,
    description: 'The key that signs the messages, in the form of Standard Webhooks.',
  },
  'hooks-http-attempts': {
    type: count,
    default: '3',
    description: 'How often a message is sent, at most.',
  },
  'hooks-http-backoff': {
    type: duration,
    default: '1s',
    description: 'The wait before the second attempt. Later waits grow.',
  },
  'hooks-url': {
    type: listOf(text('URL')),
    isSecret: true,
    description: 'Hooks from packages, such as amqp://localhost with @tuskit/amqp-hooks.',
  },
  'hooks-timeout': {
    type: duration,
    default: '15s',
    description: 'How long a program, or one attempt to reach a URL, may take.',
  },
  'hooks-events': {
    type: listOf(oneOf(...hookTypes)),
    description:
      'The events that are sent. By default all but access, pre-finish and pre-terminate; of a folder, those that it has a program for.',
  },
  'hooks-format': {
    type: oneOf(...hookFormats),
    default: 'tusd',
    description: 'The form of the messages: that of tusd 2, or one of those of Rustus.',
  },
  'hooks-progress-every': {
    type: duration,
    default: '1s',
    description: 'The minimum time between two post-receive events of an upload.',
  },
  'hooks-outbox': {
    type: text('folder'),
    description:
      'Keeps post-create, post-finish and post-terminate here until all hooks have taken them, across crashes. By default they are sent once.',
  },
  'hooks-outbox-retention': {
    type: duration,
    default: '24h',
    description:
      'How long an event is kept while a hook fails. Then it is moved to the folder given-up.',
  },
} as const satisfies SettingTable
