/**
 * Returns a text in which no URL shows a user name and a password, nor one that is an option of
 * another URL.
 */
export function hidePasswords(text: string): string {
  return text
    .replace(/(?<=\/\/)[^\s/?#'"@]+@/g, '***@')
    .replace(/(?<=%2F%2F)[^\s&'"]+?%40/gi, '***%40')
}
