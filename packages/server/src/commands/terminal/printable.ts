/**
 * Returns a text that cannot change the terminal or break a line: control characters, and those
 * that change the direction of a text, are escaped.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\\]/gu, (character) => {
    if (character === '\\') return '\\\\'
    const code = character.codePointAt(0)!.toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`
  })
}
