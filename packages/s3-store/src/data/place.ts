import { TusError, type StorageRef } from 'tuskit'

/** A longer key would leave no space for the prefix of the tail: S3 accepts 1,024 bytes. */
const longest = 900

/** Returns the place of an upload. Throws `ERR_INVALID_PLACE` if the key cannot be one. */
export function placeAt(bucket: string, key: unknown, privatePrefix: string): StorageRef {
  const checked = checkKey(key, privatePrefix)
  return { kind: 's3', at: { bucket, key: checked, tail: `${privatePrefix}tails/${checked}` } }
}

function checkKey(key: unknown, privatePrefix: string): string {
  if (typeof key !== 'string' || key === '') throw invalid('must be a text that is not empty')
  if (Buffer.byteLength(key) > longest) throw invalid(`has more than ${longest} bytes`)
  if (Buffer.from(key).toString() !== key) throw invalid('is not valid Unicode')
  if (key.startsWith('/')) throw invalid('begins with a slash')
  if (key.startsWith(privatePrefix)) throw invalid(`begins with ${privatePrefix}`)
  if (/[\0-\x1f\x7f]/.test(key)) throw invalid('contains a control character')
  if (key.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw invalid('has a segment . or ..')
  }
  return key
}

/** A key that ends with the id of its upload cannot be that of another one. */
export function endsWithId(key: string, id: string): boolean {
  return `/${key}`.endsWith(`/${id}`)
}

function invalid(fault: string): TusError {
  return new TusError('ERR_INVALID_PLACE', { cause: new Error(`The key ${fault}`) })
}
