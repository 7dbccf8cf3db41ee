import { chunk } from '../../support/serve.js'

/** Returns the head of a PATCH as sent. The connection stays open unless a header closes it. */
export function patchHead(url: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: 'a', ...chunk, ...headers }).map((line) => line.join(': '))
  return `PATCH ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}
