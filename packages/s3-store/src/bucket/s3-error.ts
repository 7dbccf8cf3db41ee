import { TusError } from 'tuskit'
import { storageError } from 'tuskit/store-kit'

/** The part of an error of the AWS SDK that is looked at. */
interface S3Error {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** The codes with which services say that there is no space. */
const full = ['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded']

/** Responses with 400 after which the same request can succeed. */
const passing = ['BadDigest', 'ExpiredToken', 'IncompleteBody', 'InvalidToken', 'RequestTimeout']

/** Returns the error code of S3 and the status of the response, if there was one. */
export function responseOf(error: unknown): { readonly code: string; readonly status: number } {
  const { name = '', $metadata } = Object(error) as S3Error
  return { code: name, status: $metadata?.httpStatusCode ?? 0 }
}

/**
 * Returns the error that a store throws for a failed request: `ERR_STORAGE_FULL` if the service
 * says so, and `ERR_STORAGE_UNAVAILABLE` for everything else that may pass, such as a service that
 * is down, slow or refuses. A request that is wrong in itself is a fault of the program, and
 * remains as it is.
 */
export function s3Failure(cause: unknown): unknown {
  const { code, status } = responseOf(cause)
  if (full.includes(code) || status === 507) return new TusError('ERR_STORAGE_FULL', { cause })
  const isWrong = [400, 405, 411, 501].includes(status) && !passing.includes(code)
  const isOfCredentials = code === 'CredentialsProviderError'
  const isResponse = status >= 300 && !isWrong
  if (isResponse || isOfCredentials) return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
  return storageError(cause)
}
