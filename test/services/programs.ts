import { execFile } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureProgram } from '../house/debian-packages.mjs'
import { isNewer, newerDebian } from './newer-debian.mjs'
import { identityOf, ServiceProcess } from './service-process.js'

const run = promisify(execFile)

/** The name of a program, and how it is called. */
type Command = readonly [program: string, ...args: string[]]

/**
 * The programs of a service, which run as a user of their own. They are those of the system, or of
 * Debian's unstable suite when `npm run test:newer` runs tests of the service.
 */
export class Programs {
  readonly isNewer: boolean
  /** The folder that is the root of the file system for the programs. */
  readonly root: string
  readonly user: string

  constructor(service: string, users: { readonly system: string; readonly newer: string }) {
    this.isNewer = isNewer(service)
    this.root = this.isNewer ? newerDebian : '/'
    this.user = this.isNewer ? users.newer : users.system
  }

  /** Installs a package of the system if its program is missing. */
  ensure(program: string, name?: string): void {
    if (!this.isNewer) ensureProgram(program, name)
  }

  /** Starts a service. */
  start([program, ...args]: Command, ready?: RegExp): Promise<ServiceProcess> {
    return ServiceProcess.start({ ...this.#call(program, args), ...(ready && { ready }) })
  }

  /** Runs a program until it ends. Resolves with its output. */
  async run([program, ...args]: Command, as = this.user): Promise<string> {
    const { command, user, args: all } = this.#call(program, args, as)
    const { stdout } = await run(command, all, { ...identityOf(user), maxBuffer: 64 * 1_048_576 })
    return stdout
  }

  /** Creates a temporary folder of the user. Returns its path, as the programs see it. */
  async temporaryDirectory(prefix: string): Promise<string> {
    const created = await mkdtemp(join(this.root, tmpdir(), prefix))
    const path = join('/', created.slice(this.root.length))
    await this.own(path)
    return path
  }

  /** Gives files to the user. */
  async own(...paths: string[]): Promise<void> {
    if (process.getuid?.() === 0) await this.run(['chown', '-R', this.user, ...paths], 'root')
  }

  /** Returns a path of the programs as this process sees it. */
  hostPath(path: string): string {
    return join(this.root, path)
  }

  #call(program: string, args: readonly string[], as = this.user) {
    if (!this.isNewer) return { command: program, args, user: as }
    const inRoot = [`--userspec=${as}`, this.root, program, ...args]
    return { command: 'chroot', args: inRoot, user: 'root' }
  }
}
