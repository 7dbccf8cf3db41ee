import { asset } from './asset.js'

const manifest = asset('@tuskit/server/package.json').toString()

/** The version of the package. */
export const { version } = JSON.parse(manifest) as { readonly version: string }
