import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { readPage } from '../docs/pages.js'
import { freePort } from '../support/free-port.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { temporaryDirectory, until } from '../support/serve.js'

/** Debian installs it outside of the PATH of users. */
const path = `${process.env.PATH}:/usr/sbin`

/** Installs nginx if it is missing. */
export function ensureNginx(): void {
  process.env.PATH = path
  ensureProgram('nginx')
}

/**
 * Starts an nginx with this content of its `http` block, made for a free port. Returns its origin.
 */
export async function startNginx(httpBlock: (port: number) => string): Promise<string> {
  const home = await temporaryDirectory()
  const port = await freePort()
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const lines = [
    'daemon off;',
    'master_process off;',
    `pid ${home}/pid;`,
    'events {}',
    'http {',
    'access_log off;',
    ...places.map((name) => `${name}_temp_path ${home}/${name};`),
    httpBlock(port),
    '}',
  ]
  await writeFile(join(home, 'nginx.conf'), lines.join('\n'))
  const args = ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')]
  const nginx = spawn('nginx', args, { stdio: 'ignore', env: { ...process.env, PATH: path } })
  const ended = once(nginx, 'exit')
  onTestFinished(async () => {
    nginx.kill()
    await ended
  })
  await until(
    async () => nginx.exitCode !== null || (await accepts(port)),
    (accepted) => accepted,
  )
  if (nginx.exitCode !== null) throw new Error(await readFile(join(home, 'error.log'), 'utf8'))
  return `http://127.0.0.1:${port}`
}

/**
 * Starts the nginx of docs/behind-proxies.md, without TLS, in front of a server. Returns its
 * origin.
 */
export async function startNginxOfPage(
  target: string | number,
  edit: (lines: string[]) => string[] = (lines) => lines,
): Promise<string> {
  const { text } = await readPage('docs/behind-proxies.md')
  const [, configuration] = /^## nginx\n\n```nginx\n([^]*?)^```$/m.exec(text)!
  const lines = configuration!.split('\n').filter((line) => !/^ *ssl_/.test(line))
  return startNginx((port) =>
    edit(lines)
      .join('\n')
      .replace('127.0.0.1:1080', `127.0.0.1:${target}`)
      .replace('443 ssl', `127.0.0.1:${port}`),
  )
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).then((accepted) => {
    socket.destroy()
    return accepted as boolean
  })
}
