/**
 * Returns the bytes of standard, padded Base64 (RFC 4648, section 4), or `undefined` if the text is
 * anything else.
 */
export function parseBase64(text: string): Buffer | undefined {
  // Buffer.from() alone skips unknown characters, and accepts the URL-safe alphabet too.
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  return Buffer.from(text, 'base64')
}
