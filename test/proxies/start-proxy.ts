import { onTestFinished } from 'vitest'
import { certificate } from '../support/serve-http2.js'
import { launchProxy, type RunningProxy } from './launch-proxy.js'
import { replaceAll, type Proxy } from './proxy.js'

/**
 * Starts a proxy of Debian with the file of examples/proxies in front of a server, without
 * privileges. The end of the test stops it.
 *
 * @param server - Where the server listens: a port, or the path of a Unix domain socket.
 * @param edit - Changes the file.
 */
export async function startProxy(
  proxy: Proxy,
  server: number | string,
  edit: (configuration: string) => string = (configuration) => configuration,
): Promise<RunningProxy> {
  const running = await launchProxy(proxy, certificate, (configuration) =>
    replaceAll(edit(configuration), [
      typeof server === 'number'
        ? ['127.0.0.1:1080', `127.0.0.1:${server}`]
        : ['/run/tuskit/tuskit.sock', server],
    ]),
  )
  onTestFinished(() => running.stop())
  return running
}
