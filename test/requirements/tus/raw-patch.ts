import { chunk } from '../../support/serve.js'

/** The head of a PATCH as it goes over the wire; the connection stays open unless a header says otherwise. */
export function patchHead(url: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: 'a', ...chunk, ...headers }).map((line) => line.join(': '))
  return `PATCH ${new URL(url).pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}
