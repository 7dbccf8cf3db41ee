import { setMaxListeners } from 'node:events'
import { storageError } from 'tuskit/store-kit'
import { responseOf, s3Failure } from './s3-error.js'

/** The options of a call of the client. */
export type Call = { readonly abortSignal: AbortSignal }

/** The response of a service, if the request has failed. */
export type Response = ReturnType<typeof responseOf>

/**
 * Sends a request. Rejects with `signal.reason` when the signal aborts, and otherwise with an error
 * that says whether the storage is full or cannot be reached. Returns `undefined` for a response
 * that says that there is nothing.
 */
export async function request<T>(signal: AbortSignal, send: (call: Call) => Promise<T>): Promise<T>
export async function request<T>(
  signal: AbortSignal,
  send: (call: Call) => Promise<T>,
  isNothing: (response: Response) => boolean,
): Promise<T | undefined>
export async function request<T>(
  signal: AbortSignal,
  send: (call: Call) => Promise<T>,
  isNothing?: (response: Response) => boolean,
): Promise<T | undefined> {
  signal.throwIfAborted()
  // The SDK listens more than once for each request, and several requests share a signal.
  setMaxListeners(0, signal)
  try {
    return await send({ abortSignal: signal })
  } catch (error) {
    if (signal.aborted) throw storageError(signal.reason)
    if (isNothing?.(responseOf(error))) return undefined
    throw s3Failure(error)
  }
}

export const isNoKey = ({ code }: Response) => code === 'NoSuchKey' || code === 'NotFound'

export function etagOf({ ETag }: { readonly ETag?: string | undefined }): string {
  return ETag ?? ''
}
