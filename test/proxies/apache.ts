import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../docs/pages.js'
import { replaceAll, type Proxy } from './proxy.js'

const run = promisify(execFile)

export const apache: Proxy = {
  name: 'Apache',
  file: 'apache.conf',
  program: 'apache2',
  package: 'apache2',
  async setUp({ home, configuration, httpPort, httpsPort, cert, key }) {
    const folder = join(home, 'apache2')
    await cp('/etc/apache2', folder, { recursive: true, verbatimSymlinks: true })
    const site = replaceAll(configuration, [
      ['*:80>', `*:${httpPort}>`],
      ['*:443>', `*:${httpsPort}>`],
      ['uploads.example.org', 'localhost'],
      ['/etc/ssl/private/uploads.pem', cert],
      ['/etc/ssl/private/uploads.key', key],
    ])
    await writeFile(join(folder, 'sites-available/tuskit.conf'), site)
    await edit('ports.conf', [
      ['\nListen 80\n', `\nListen 127.0.0.1:${httpPort}\n`],
      ['ssl_module>\n\tListen 443', `ssl_module>\n\tListen 127.0.0.1:${httpsPort}`],
    ])
    await edit('sites-available/000-default.conf', [['*:80>', `*:${httpPort}>`]])
    const environment = {
      ...{ PATH: process.env.PATH, LANG: 'C', APACHE_CONFDIR: folder, APACHE_RUN_DIR: home },
      APACHE_STATE_DIRECTORY: home,
      ...{ APACHE_PID_FILE: `${home}/pid`, APACHE_LOCK_DIR: home, APACHE_LOG_DIR: home },
      ...{ APACHE_RUN_USER: 'www-data', APACHE_RUN_GROUP: 'www-data' },
    }
    const headers = join(root, 'examples/proxies/apache-headers.conf')
    await cp(headers, join(folder, 'conf-available/tuskit-headers.conf'))
    // These are the commands of examples/proxies/README.md.
    const page = await readFile(join(root, 'examples/proxies/README.md'), 'utf8')
    const commands = page.match(/^sudo a2en(?:mod|conf|site) .+$/gm)!
    const script = commands.join(' && ').replaceAll('sudo ', '')
    await run('sh', ['-c', script], { env: environment })
    if (configuration.includes('CacheEnable')) {
      const cache = join(home, 'cache')
      await mkdir(cache)
      await run('a2enmod', ['cache_disk'], { env: environment })
      await edit('mods-available/cache_disk.conf', [['/var/cache/apache2/mod_cache_disk', cache]])
    }
    const args = ['-DFOREGROUND', '-d', folder, '-f', 'apache2.conf']
    return { command: 'apache2', args, environment }

    async function edit(file: string, replacements: Parameters<typeof replaceAll>[1]) {
      const path = join(folder, file)
      await writeFile(path, replaceAll(await readFile(path, 'utf8'), replacements))
    }
  },
}
