import type { OldServer } from './old-upload.js'
import { rustus } from './rustus.js'
import { tusNode } from './tus-node.js'
import { tusd } from './tusd.js'

/** The servers whose uploads can be adopted, by the value of `--from`. */
export const oldServers = {
  tusd,
  rustus,
  'tus-node': tusNode,
} as const satisfies Readonly<Record<string, OldServer>>
