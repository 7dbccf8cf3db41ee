/** Returns a text in which no URL shows a user name and a password. */
export function hidePasswords(text: string): string {
  return text.replace(/(?<=\/\/)[^\s/?#'"@]+@/g, '***@')
}
