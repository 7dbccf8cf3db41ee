import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceAll, type Proxy } from './proxy.js'

export const nginx: Proxy = {
  name: 'nginx',
  file: 'nginx.conf',
  program: 'nginx',
  package: 'nginx',
  async setUp({ home, configuration, httpPort, httpsPort, cert, key }) {
    const site = replaceAll(configuration.replace('/var/cache/nginx', `${home}/cache`), [
      ['listen 80;', `listen 127.0.0.1:${httpPort};`],
      ['listen [::]:80;', `listen 127.0.0.2:${httpPort};`],
      ['listen 443 ', `listen 127.0.0.1:${httpsPort} `],
      ['listen [::]:443 ', `listen 127.0.0.2:${httpsPort} `],
      ['uploads.example.org', 'localhost'],
      ['/etc/ssl/private/uploads.pem', cert],
      ['/etc/ssl/private/uploads.key', key],
    ])
    // It is enabled after the installation, and comes before the other sites.
    const defaultSite = replaceAll(await readFile('/etc/nginx/sites-available/default', 'utf8'), [
      ['\n\tlisten 80 ', `\n\tlisten 127.0.0.1:${httpPort} `],
      ['\n\tlisten [::]:80 ', `\n\tlisten 127.0.0.2:${httpPort} `],
    ])
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const main = replaceAll(await readFile('/etc/nginx/nginx.conf', 'utf8'), [
      ['pid /run/nginx.pid;', `pid ${home}/pid;`],
      ['/var/log/nginx/error.log', `${home}/error.log`],
      ['/var/log/nginx/access.log', `${home}/access.log`],
      [
        'include /etc/nginx/conf.d/*.conf;',
        places.map((name) => `${name}_temp_path ${home}/${name};`).join('\n'),
      ],
      ['include /etc/nginx/sites-enabled/*;', `include ${home}/default; include ${home}/tuskit;`],
    ])
    await writeFile(join(home, 'default'), defaultSite)
    await writeFile(join(home, 'tuskit'), site)
    await writeFile(join(home, 'nginx.conf'), main)
    const args = ['-c', `${home}/nginx.conf`, '-e', `${home}/error.log`, '-g', 'daemon off;']
    return { command: 'nginx', args }
  },
}
