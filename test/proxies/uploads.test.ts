import { createHandler, createUploadServer } from 'tuskit'
import { onTestFinished } from 'vitest'
import { clientAt, testSite } from '../frameworks/uploads-suite.js'
import { listen, memoryComposer } from '../support/serve.js'
import { proxies, startProxy } from './start-proxy.js'

for (const proxy of proxies) {
  for (const scheme of ['http', 'https'] as const) {
    testSite({
      framework: `${proxy.name}, ${scheme}`,
      basePath: '/files',
      notFound: /^ERR_NOT_FOUND/,
      async connect() {
        const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
        const server = createUploadServer(handler)
        const port = await listen(server)
        onTestFinished(() => server.stop({ timeout: 1_000 }))
        const site = await startProxy(proxy, port)
        return clientAt(site[scheme], scheme === 'https' ? site.ca : undefined)
      },
    })
  }
}
