import { age, duration, listOf, oneOf, size, text, yesOrNo } from './value-types.js'
import type { SettingTable } from './setting.js'

const features = listOf(
  oneOf(
    ...(['creation', 'creation-with-upload', 'creation-defer-length', 'expiration'] as const),
    ...(['checksum', 'checksum-trailer', 'termination', 'concatenation'] as const),
    ...(['concatenation-unfinished', 'download', 'ietf-draft', 'method-override'] as const),
  ),
)

/** Which uploads are taken, and how long they stay. */
export const uploads = {
  'base-path': {
    type: text('path'),
    default: '/files/',
    description: 'The path below which uploads live, as clients see it.',
  },
  'max-size': {
    type: size,
    description: 'The largest upload. By default there is no limit.',
  },
  'max-append-size': {
    type: size,
    description:
      'The largest body of one request, for proxies that limit requests. By default there is no limit.',
  },
  disable: {
    type: features,
    description: 'Features that clients do not get.',
  },
  'expire-after': {
    type: age,
    description:
      'When unfinished uploads expire, counted from their creation. Uploads that were created without this setting stay. By default none expires.',
  },
  'expire-finished-after': {
    type: age,
    description:
      'When finished uploads are removed, counted from their end. Uploads that were finished without this setting stay. By default none is.',
  },
  'sweep-every': {
    type: duration,
    default: '1h',
    description: 'How often expired uploads are removed.',
  },
  'checksum-metadata': {
    type: text('key'),
    description: 'The key of the metadata that holds a digest of the whole file.',
  },
  'interim-responses': {
    type: yesOrNo,
    default: 'false',
    description:
      'Sends 104 responses, which URLSession needs to resume. Some proxies fail because of them.',
  },
  'lock-timeout': {
    type: duration,
    default: '15s',
    description: 'How long a request waits for the lock of an upload.',
  },
  'idle-timeout': {
    type: duration,
    default: '60s',
    description: 'How long a client may send nothing in the middle of a request.',
  },
} as const satisfies SettingTable
