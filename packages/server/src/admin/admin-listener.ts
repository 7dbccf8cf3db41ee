import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from 'tuskit'
import type { WorkerReport } from '../monitor/worker-report.js'
import { pageFiles, pageHeaders } from '../page-files.js'
import { liveSnapshot } from './live-snapshot.js'
import { MetricsPage } from './metrics-page.js'

/** Options of {@link createAdminListener}. */
export interface AdminListenerOptions {
  /**
   * Returns the reports of all serving processes. Leave out one that does not respond. If it
   * rejects, the request gets 503.
   */
  readonly reports: () => Promise<readonly WorkerReport[]>
  /**
   * Returns why the server cannot take uploads right now, in sentences that anybody may read: they
   * are shown as they are. None: it can. If it rejects, the server is not ready.
   */
  readonly ready: () => Promise<readonly string[]>
  /**
   * Logs why a function rejected, which no response says.
   * @default the console
   */
  readonly logger?: Pick<Logger, 'error'>
}

interface Reply {
  readonly status?: number
  readonly type: string
  readonly body: string | Buffer
}

const text = 'text/plain; charset=utf-8'

const always = { ...pageHeaders, 'cross-origin-resource-policy': 'same-origin' }

const livePage = pageFiles('live')

/**
 * Creates a listener for operators: `/healthz`, `/readyz`, `/metrics`, `/uploads.json`, and a page
 * at `/` that shows live uploads. It accepts `GET` and `HEAD` only, and changes nothing. The names
 * of uploads are shown, so keep it away from the public.
 *
 * @example
 * createServer(createAdminListener({ reports, ready })).listen(9090, '127.0.0.1')
 */
export function createAdminListener(options: AdminListenerOptions): RequestListener {
  const { ready, logger = console } = options
  const reports = shared(options.reports)
  const metrics = new MetricsPage()
  const metricsText = shared(async () => metrics.print(await reports()))
  const routes: Readonly<Record<string, () => Promise<Reply>>> = {
    '/healthz': async () => ({ type: text, body: 'ok\n' }),
    '/readyz': async () => readiness(await ready()),
    '/metrics': async () => ({ type: metrics.contentType, body: await metricsText() }),
    '/uploads.json': async () => ({
      type: 'application/json',
      body: JSON.stringify(liveSnapshot(await reports())),
    }),
  }

  async function handle({ method, url = '' }: IncomingMessage, response: ServerResponse) {
    const path = url.split('?', 1)[0]!
    const file = livePage.get(path)
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (file === undefined && route === undefined) {
      return send(response, { status: 404, type: text, body: 'Not found\n' })
    }
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return send(response, { status: 405, type: text, body: 'Not allowed\n' })
    }
    if (file !== undefined) return send(response, { type: file.type, body: file.content })
    let reply: Reply
    try {
      reply = await route!()
    } catch (error) {
      logger.error('The state of the server cannot be found out', { path, error })
      reply = { status: 503, type: text, body: 'The state is not known\n' }
    }
    send(response, reply)
  }
  return (request, response) => void handle(request, response)
}

function readiness(reasons: readonly string[]): Reply {
  if (reasons.length === 0) return { type: text, body: 'ready\n' }
  return { status: 503, type: text, body: reasons.map((reason) => `${reason}\n`).join('') }
}

function send(response: ServerResponse, { status = 200, type, body }: Reply): void {
  response.writeHead(status, {
    ...always,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': Buffer.isBuffer(body) ? 'no-cache' : 'no-store',
  })
  // Node omits the body for HEAD.
  response.end(body)
}

/** Returns a function that runs once for all callers that wait at the same time. */
function shared<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }
}
