import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'

/**
 * Makes a process seem dead after so many requests, counted from 1: the service has got the last
 * one, but its response is lost, and nothing is sent any more. Returns a promise of the death.
 */
export function dieAt(
  client: S3Client,
  request: number,
): { readonly died: Promise<void>; readonly isDead: () => boolean } {
  let die = () => {}
  let [sent, isDead] = [0, false]
  const died = new Promise<void>((resolve) => {
    die = () => {
      isDead = true
      resolve()
    }
  })
  const forEver = new Promise<never>(() => {})
  client.middlewareStack.add(
    (next) => async (args) => {
      const isLast = ++sent === request
      if (isDead) return forEver
      const response = next(args)
      if (isLast) {
        await response.catch(() => {})
        die()
      }
      // Also for those that were on their way when it died.
      const result = await response.catch(() => {})
      if (!isDead) return response
      // The client notices that a body that nobody reads has another checksum.
      const { Body: body } = (result?.output ?? {}) as { readonly Body?: Readable }
      body?.on('error', () => {})
      return forEver
    },
    { step: 'initialize' },
  )
  return { died, isDead: () => isDead }
}
