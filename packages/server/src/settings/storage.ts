import { listOf, oneOf, size, text } from './value-types.js'
import type { SettingTable } from './setting.js'

/** Where uploads are kept. */
export const storage = {
  data: {
    type: text('URL'),
    default: 'file:./data',
    description: 'Where the bytes of uploads are kept.',
  },
  info: {
    type: text('URL'),
    description: 'Where the records of uploads are kept. By default next to the data.',
  },
  locks: {
    type: text('URL'),
    description:
      'Where the locks of uploads are kept. By default next to the data. memory: is faster, but only one process may then use the uploads.',
  },
  limit: {
    type: size,
    description: 'How much space all uploads together may use. By default as much as there is.',
  },
  'dir-structure': {
    type: text('template'),
    description:
      'Folders for the data, such as {year}/{month}/{day}, with {hour}, {minute} and {env[NAME]} too. Times are those of the creation, in UTC. By default there are none.',
  },
  'file-names': {
    type: oneOf('id', 'original'),
    default: 'id',
    description:
      'Names of the files: the id of the upload, or the name that the client gave, made safe, with the id.',
  },
  plugin: {
    type: listOf(text('module')),
    description: 'Packages or files that add stores, lockers and hooks, each with URLs of its own.',
  },
} as const satisfies SettingTable
