import { S3Client, type ObjectCannedACL, type StorageClass } from '@aws-sdk/client-s3'
import type { UnplacedUpload } from 'tuskit'
import { AdoptableObjects } from './adoption/adoptable-objects.js'
import { profiles, type S3Provider } from './providers.js'
import { S3InfoStore } from './s3-info-store.js'
import { S3Locker } from './s3-locker.js'
import { S3Store } from './s3-store.js'
import type { S3StoreOptions } from './s3-store-options.js'

/** The part of the context of a part that is used. */
export interface PluginContext {
  readonly locate: (upload: UnplacedUpload) => string
}

/** The options after the question mark. Records and locks in the same bucket have the same URL. */
const known = [
  ...['region', 'endpoint', 'path-style', 'provider', 'part-size', 'parallel', 'max-parallel'],
  ...['max-memory', 'acl', 'storage-class', 'lease', 'poll-interval'],
]

/**
 * Makes parts from URLs such as `s3://bucket/prefix/?region=eu-central-1`. The credentials come
 * from where the AWS SDK looks for them, such as the environment.
 */
export const plugin = {
  data: { s3: dataFromUrl },
  info: { s3: infoFromUrl },
  locks: { s3: locksFromUrl },
  adoptable: { s3: adoptableFromUrl },
}

function dataFromUrl(url: string, { locate }: PluginContext): S3Store {
  const { prefix, ...options } = storeFromUrl(url)
  return new S3Store({ ...options, locate: (upload) => prefix + locate(upload) })
}

/** The folder of an old server has to be in the bucket of the data. */
function adoptableFromUrl(url: string, data: string): Promise<AdoptableObjects> {
  const { place, prefix } = parse(url)
  const { prefix: _, ...options } = storeFromUrl(data)
  if (place.bucket !== options.bucket) {
    throw new Error(`the bucket must be ${place.bucket}, because the data stays where it is`)
  }
  return AdoptableObjects.open(options, prefix)
}

function storeFromUrl(url: string): S3StoreOptions & { readonly prefix: string } {
  const { place, prefix, privatePrefix, text, number } = parse(url)
  const provider = text('provider')
  if (provider !== undefined && !Object.hasOwn(profiles, provider)) {
    throw new Error(`provider must be one of ${Object.keys(profiles).join(', ')}, not ${provider}`)
  }
  const [ACL, StorageClass] = [text('acl'), text('storage-class')]
  return {
    ...place,
    prefix,
    privatePrefix,
    ...given({ provider: provider as S3Provider | undefined, partSize: number('part-size') }),
    ...given({ parallel: number('parallel'), maxParallel: number('max-parallel') }),
    ...given({ maxMemory: number('max-memory') }),
    parameters: given({
      ACL: ACL as ObjectCannedACL | undefined,
      StorageClass: StorageClass as StorageClass | undefined,
    }),
  }
}

function infoFromUrl(url: string): S3InfoStore {
  const { place, privatePrefix } = parse(url)
  return new S3InfoStore({ ...place, prefix: `${privatePrefix}records/` })
}

function locksFromUrl(url: string): S3Locker {
  const { place, privatePrefix, number } = parse(url)
  const times = given({ lease: number('lease'), pollInterval: number('poll-interval') })
  return new S3Locker({ ...place, prefix: `${privatePrefix}locks/`, ...times })
}

/** Reads a URL, and refuses options that are not known. */
function parse(href: string) {
  const url = new URL(href)
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${unknown}, only ${known.join(', ')}`)
  }
  if (url.hostname === '') throw new Error('the name of a bucket must follow s3://')
  const text = (name: string) => url.searchParams.get(name) ?? undefined
  const number = (name: string) => {
    const digits = text(name)
    if (digits === undefined) return undefined
    if (/^\d+$/.test(digits)) return Number(digits)
    throw new Error(`${name} must be a whole number, not '${digits}'`)
  }
  const endpoint = text('endpoint')
  const client = new S3Client({
    ...given({ region: text('region'), endpoint }),
    // Other services seldom have a name for each bucket, and few know the newer checksums.
    ...(endpoint !== undefined && {
      forcePathStyle: text('path-style') !== 'no',
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
  })
  const prefix = decodeURIComponent(url.pathname.slice(1))
  const place = { client, bucket: url.hostname }
  return { place, prefix, privatePrefix: `${prefix}.tuskit/`, text, number }
}

/** Returns an object without the members that are `undefined`. */
function given<T extends object>(members: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}
