import { createHandler, createUploadServer, type HandlerOptions } from 'tuskit'
import { onTestFinished } from 'vitest'
import { listen, memoryComposer } from '../support/serve.js'

/** Starts a server with uploads in memory, and returns its port. The end of the test stops it. */
export function serveUploads(options: Partial<HandlerOptions> = {}): Promise<number> {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer(), ...options })
  const server = createUploadServer(handler)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  return listen(server)
}
