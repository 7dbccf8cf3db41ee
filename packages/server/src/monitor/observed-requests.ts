import diagnostics from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Observation } from './observed-data.js'

/** A listener for requests, and middleware. A handler is one. */
export type Listener = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => unknown

/** A message of the channel `tuskit:error`. */
interface ErrorMessage {
  readonly response: ServerResponse
  readonly method: string
  readonly uploadId?: string
  readonly code: string
  readonly status: number
}

/** The methods that are counted. Any other is refused, and clients could invent any number. */
const counted = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'])

/** The observation of each response that is being made. */
const observations = new WeakMap<ServerResponse, Observation>()

// One subscription for all monitors, so that none has to be closed.
diagnostics.subscribe('tuskit:error', (message) => {
  const { response, method, uploadId, code, status } = message as ErrorMessage
  const observation = observations.get(response)
  if (observation === undefined) return
  observation.metrics.errors.inc({ code, status })
  const at = new Date().toISOString()
  const id = uploadId !== undefined && { uploadId }
  observation.live.noteError({
    at,
    method: counted.has(method) ? method : 'other',
    code,
    status,
    ...id,
  })
})

/** Counts requests, except for those that the listener passes to `next`, and errors. */
export function observedRequests(listener: Listener, observation: Observation): Listener {
  return (request, response, next) => {
    observations.set(response, observation)
    let passed = false
    const pass = (error?: unknown) => {
      passed = true
      next!(error)
    }
    const result = listener(request, response, next && pass)
    const method = effectiveMethod(request)
    if (!passed && counted.has(method)) observation.metrics.requests.inc({ method })
    return result
  }
}

/** Returns the method by which a handler treats the request. */
function effectiveMethod({ method = '', headers }: IncomingMessage): string {
  const override = headers['x-http-method-override']
  return typeof override === 'string' && override !== '' ? override.trim().toUpperCase() : method
}
