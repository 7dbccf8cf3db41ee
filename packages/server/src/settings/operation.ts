import { duration, oneOf, text } from './value-types.js'
import type { SettingTable } from './setting.js'

/** How the program is watched and stopped. */
export const operation = {
  admin: {
    type: text('host:port'),
    description:
      'Where health checks, metrics and the page of live uploads are served. By default nowhere.',
  },
  'log-level': {
    type: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    description: 'The least important messages that are logged.',
  },
  'log-format': {
    type: oneOf('json', 'pretty'),
    description: 'The form of the log. By default pretty on a terminal and JSON otherwise.',
  },
  'stop-timeout': {
    type: duration,
    default: '10s',
    description: 'How long running requests may take to end when the program stops.',
  },
} as const satisfies SettingTable
