import { createHmac } from 'node:crypto'

/**
 * Returns the bytes of a key as Standard Webhooks writes it. The error for a wrong one does not
 * show it.
 */
export function secretOf(text: string): Buffer {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const secret = Buffer.from(encoded ?? '', 'base64')
  if (secret.length >= 24) return secret
  throw new TypeError("HttpHooks: option 'secret' must be 'whsec_' and at least 24 bytes in Base64")
}

/**
 * Returns the headers by which the receiver knows who has sent a message, and when.
 *
 * @param time - Seconds since 1970.
 */
export function signed(
  secret: Buffer,
  id: string,
  body: string,
  time = Math.floor(Date.now() / 1000),
): Record<string, string> {
  const mac = createHmac('sha256', secret).update(`${id}.${time}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(time),
    'webhook-signature': `v1,${mac}`,
  }
}
