/**
 * Returns an error if the request and response are not Node's, such as the `Request` of the Fetch
 * API; otherwise `undefined`.
 */
export function wrongMessages(request: unknown, response: unknown): TypeError | undefined {
  const { headers } = (request ?? {}) as { readonly headers?: unknown }
  const isWeb = typeof (headers as Partial<Headers> | undefined)?.get === 'function'
  const isNode = typeof headers === 'object' && headers !== null && !isWeb
  const { writeHead } = (response ?? {}) as { readonly writeHead?: unknown }
  if (isNode && typeof writeHead === 'function') return undefined
  const given = isWeb ? 'a web Request' : `${className(request)} and ${className(response)}`
  return new TypeError(
    `The tuskit handler was called with ${given}; it takes the request and response of ` +
      'node:http or node:http2. Pass the Node objects behind those of your framework, ' +
      'such as env.incoming and env.outgoing of @hono/node-server',
  )
}

function className(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value
  return value.constructor?.name ?? 'Object'
}
