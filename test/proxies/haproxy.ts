import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceAll, type Proxy } from './proxy.js'

export const haproxy: Proxy = {
  name: 'HAProxy',
  file: 'haproxy.cfg',
  program: 'haproxy',
  package: 'haproxy',
  async setUp({ home, configuration, httpPort, httpsPort, certAndKey }) {
    const added = replaceAll(configuration, [
      ['[::]:80 v4v6', `127.0.0.1:${httpPort}`],
      ['[::]:443 v4v6', `127.0.0.1:${httpsPort}`],
      ['/etc/ssl/private/uploads.pem', certAndKey],
    ])
    // Only root may change its user and its root directory.
    const main = replaceAll(await readFile('/etc/haproxy/haproxy.cfg', 'utf8'), [
      ['\tchroot /var/lib/haproxy\n', ''],
      ['\tstats socket /run/haproxy/admin.sock mode 660 level admin\n', ''],
      ['\tuser haproxy\n', ''],
      ['\tgroup haproxy\n', ''],
    ])
    await writeFile(join(home, 'haproxy.cfg'), `${main}\n${added}`)
    return { command: 'haproxy', args: ['-db', '-f', join(home, 'haproxy.cfg')] }
  },
}
