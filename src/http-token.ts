/** The pattern of a token, such as the name of a header (RFC 9110, section 5.6.2). */
export const httpToken = "[\\w!#$%&'*+.^`|~-]+"

const wholeToken = new RegExp(`^${httpToken}$`)

/** Returns whether a text is one token. */
export function isHttpToken(text: string): boolean {
  return wholeToken.test(text)
}
