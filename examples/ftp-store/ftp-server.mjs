// @ts-check
// Runs a real FTP server for the tests of the store: ProFTPD, on Debian from the package
// proftpd-core. It needs no privileges, and can be killed, suspended and started again.
import { execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** As root, the server runs as another user: permissions apply to that one. */
const account = process.getuid?.() === 0 ? 'nobody' : ''

/** @param {string} option of `id` */
const idOf = (option) => execFileSync('id', [option, account].filter(Boolean)).toString().trim()

/** An FTP server in a folder of its own, with the user `tuskit` and the password `secret`. */
export class FtpServer {
  user = 'tuskit'
  password = 'secret'
  /** The port of control connections. */
  port
  /** The ports of data connections. */
  passivePorts
  /** The folder that the user sees, as a path of this machine. */
  folder
  #home
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process

  /** @param {string} home @param {number} port */
  constructor(home, port) {
    this.#home = home
    this.folder = join(home, 'files')
    this.port = port
    this.passivePorts = Array.from({ length: 40 }, (_, index) => port + 1 + index)
  }

  /**
   * Creates a server and starts it on free ports.
   *
   * @param {string} [more] directives of ProFTPD
   */
  static async start(more = '') {
    const home = await mkdtemp(join(tmpdir(), 'ftp-server-'))
    for (let attempt = 1; ; attempt++) {
      // Below the ports that systems choose for outgoing connections.
      const server = new FtpServer(home, randomInt(20_000, 32_000))
      try {
        await server.#configure(more)
        await server.restart()
        return server
      } catch (error) {
        if (attempt === 5) throw error
      }
    }
  }

  /** Starts it on the same ports after it was killed. */
  async restart() {
    const options = { detached: true, stdio: /** @type {const} */ ('ignore') }
    const identity = account ? { uid: Number(idOf('-u')), gid: Number(idOf('-g')) } : {}
    const command = ['-n', '-q', '-c', join(this.#home, 'proftpd.conf')]
    const child = spawn('proftpd', command, { ...options, ...identity })
    this.#process = child
    await once(child, 'spawn')
    process.on('exit', this.#killNow)
    while (!(await this.#responds())) {
      if (child.exitCode !== null) throw new Error(`proftpd exited with ${child.exitCode}`)
      await setTimeout(10)
    }
  }

  /** Ends it and all its sessions, as a crash does. */
  async kill() {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    process.off('exit', this.#killNow)
    const exited = once(child, 'exit')
    signal(child, 'SIGKILL')
    await exited
  }

  /** Suspends it and all its sessions: the system still accepts connections and bytes. */
  suspend() {
    signal(this.#process, 'SIGSTOP')
  }

  resume() {
    signal(this.#process, 'SIGCONT')
  }

  /** Ends it and removes its files. */
  async stop() {
    await this.kill()
    await rm(this.#home, { recursive: true, force: true })
  }

  /** Creates a folder that the server can write to. @param {string} name */
  async createFolder(name) {
    const path = join(this.folder, name)
    await mkdir(path)
    await chown(path, Number(idOf('-u')), Number(idOf('-g')))
    return path
  }

  /** @param {string} more */
  async #configure(more) {
    const [uid, gid] = [idOf('-u'), idOf('-g')]
    await mkdir(this.folder, { recursive: true })
    // The hash of `secret`, made with `openssl passwd -6`.
    const hash =
      '$6$tuskit$vYunzYZTeSRz4/YVCHhTJWbB5cs.QJPm0NXiQ.SZAfiTvlFOzlV2kYT0GhW3M1dWpomBIMCwnbuYTtsUQX1QJ/'
    const users = join(this.#home, 'users')
    await writeFile(users, `${this.user}:${hash}:${uid}:${gid}::${this.folder}:/bin/false\n`)
    await chmod(users, 0o600)
    const [first, last] = [this.passivePorts.at(0), this.passivePorts.at(-1)]
    const configuration = `
      ServerName tuskit
      ServerType standalone
      DefaultAddress 127.0.0.1
      SocketBindTight on
      Port ${this.port}
      PassivePorts ${first} ${last}
      UseIPv6 off
      UseReverseDNS off
      User ${idOf('-un')}
      Group ${idOf('-gn')}
      AuthOrder mod_auth_file.c
      AuthUserFile ${users}
      AuthPAM off
      RequireValidShell off
      DelayEngine off
      ScoreboardFile none
      PidFile ${join(this.#home, 'pid')}
      SystemLog ${join(this.#home, 'log')}
      TransferLog none
      WtmpLog off
      <IfModule mod_ctrls.c>
        ControlsEngine off
      </IfModule>
      # Both are off by default, and the store needs them.
      AllowOverwrite on
      AllowStoreRestart on
      ${more}
    `
    await writeFile(join(this.#home, 'proftpd.conf'), configuration)
    for (const path of [this.#home, this.folder, users]) await chown(path, Number(uid), Number(gid))
  }

  /** Whether a session begins with a greeting. */
  async #responds() {
    const socket = connect(this.port, '127.0.0.1')
    try {
      const [greeting] = await once(socket, 'data')
      return String(greeting).startsWith('220')
    } catch {
      return false
    } finally {
      socket.destroy()
    }
  }

  #killNow = () => signal(this.#process, 'SIGKILL')
}

/** Signals a server and its sessions, which are one group of processes. */
function signal(
  /** @type {import('node:child_process').ChildProcess | undefined} */ child,
  /** @type {NodeJS.Signals} */ name,
) {
  if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name)
}
