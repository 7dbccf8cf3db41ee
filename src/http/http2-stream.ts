import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'

export type { ServerHttp2Stream }

/** The stream that a request or response of Node's HTTP/2 compatibility API stands for; `undefined` over HTTP/1. */
export function http2StreamOf(
  message: IncomingMessage | ServerResponse,
): ServerHttp2Stream | undefined {
  const request = 'req' in message ? message.req : message
  if (request.httpVersionMajor < 2) return undefined
  return (message as { readonly stream?: ServerHttp2Stream }).stream
}
