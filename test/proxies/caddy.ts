import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceAll, type Proxy } from './proxy.js'

export const caddy: Proxy = {
  name: 'Caddy',
  file: 'Caddyfile',
  program: 'caddy',
  package: 'caddy',
  async setUp({ home, configuration, httpPort, httpsPort, cert, key }) {
    const site = replaceAll(configuration, [
      ['http://uploads.example.org', 'http://localhost'],
      ['https://uploads.example.org', 'https://localhost'],
      ['# tls /etc/ssl/private/uploads.pem /etc/ssl/private/uploads.key', `tls ${cert} ${key}`],
    ])
    const ports = `{\n  admin off\n  http_port ${httpPort}\n  https_port ${httpsPort}\n}\n`
    await writeFile(join(home, 'Caddyfile'), ports + site)
    return {
      command: 'caddy',
      args: ['run', '--config', join(home, 'Caddyfile')],
      environment: { PATH: process.env.PATH, HOME: home },
    }
  },
}
