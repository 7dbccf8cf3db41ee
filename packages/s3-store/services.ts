import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { Programs } from '../../test/services/programs.js'
import type { ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

const programs = new Programs('ceph', { system: 'ceph', newer: 'ceph' })

/** The processes of a Ceph cluster: its state, its disk, and the gateway that speaks S3. */
export type Daemon = 'mon' | 'osd' | 'rgw'

/** Options of {@link CephGateway.start}. */
export interface CephOptions {
  /**
   * Where objects are kept. Only `bluestore` survives the end of the disk's process.
   *
   * @default 'memstore'
   */
  readonly store?: 'memstore' | 'bluestore'
  /**
   * The smallest part of a multipart upload in bytes.
   *
   * @default 5242880
   */
  readonly minPartSize?: number
}

/** Keys of the only user. */
export const credentials = {
  accessKeyId: 'tuskit-test-access',
  secretAccessKey: 'tuskit-test-secret',
}

/**
 * A Ceph cluster of its own with one disk and one gateway (RGW), on loopback, with its data in a
 * temporary folder.
 */
export class CephGateway {
  /** The port of the gateway. It is the same after a restart. */
  readonly port: number
  readonly #directory: string
  readonly #commands: Readonly<Record<Daemon, readonly [string, ...string[]]>>
  readonly #daemons = new Map<Daemon, ServiceProcess>()
  readonly #clients: S3Client[] = []

  static async start(options: CephOptions = {}): Promise<CephGateway> {
    const packages = 'ceph-mon ceph-osd radosgw'
    for (const program of packages.split(' ')) programs.ensure(program, packages)
    const directory = await programs.temporaryDirectory('tuskit-ceph-')
    const gateway = new CephGateway(directory, await freePort())
    try {
      await gateway.#create(options)
      return gateway
    } catch (error) {
      await gateway.stop()
      throw error
    }
  }

  private constructor(directory: string, port: number) {
    this.port = port
    this.#directory = directory
    const conf = ['-c', this.#conf, '-f']
    this.#commands = {
      mon: ['ceph-mon', ...conf, '-i', 'a'],
      osd: ['ceph-osd', ...conf, '-i', '0'],
      rgw: ['radosgw', ...conf, '-n', 'client.rgw.a'],
    }
  }

  get endpoint(): string {
    return this.endpointOf(this.port)
  }

  endpointOf(port: number): string {
    return `http://127.0.0.1:${port}`
  }

  /** Returns a client, of another port if a proxy is in between. The end closes it. */
  client({ port = this.port, ...config }: S3ClientConfig & { port?: number } = {}): S3Client {
    const client = new S3Client({ ...this.config(port), ...config })
    this.#clients.push(client)
    return client
  }

  /** Returns the options that a client needs. */
  config(port = this.port): S3ClientConfig {
    return {
      endpoint: this.endpointOf(port),
      region: 'us-east-1',
      forcePathStyle: true,
      // The gateway of Debian 12 knows no other checksums than Content-MD5.
      ...(!programs.isNewer && {
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
      }),
      credentials,
    }
  }

  /** Creates a bucket, and returns its name. */
  async createBucket(): Promise<string> {
    const name = `b-${randomUUID()}`
    await this.client().send(new CreateBucketCommand({ Bucket: name }))
    return name
  }

  /** Runs `radosgw-admin`. Resolves with its output. */
  async control(...args: readonly string[]): Promise<string> {
    return programs.run(['radosgw-admin', '-c', this.#conf, ...args])
  }

  /** Changes a setting of a process until it ends. */
  async configure(daemon: Daemon, setting: string, value: string): Promise<void> {
    const name = { mon: 'mon.a', osd: 'osd.0', rgw: 'client.rgw.a' }[daemon]
    const socket = join(this.#directory, 'run', `${name}.asok`)
    await this.#ceph('--admin-daemon', socket, 'config', 'set', setting, value)
  }

  /** Kills a process with SIGKILL. */
  async kill(daemon: Daemon): Promise<void> {
    await this.#daemons.get(daemon)?.kill()
  }

  /** Starts a process that was killed. Resolves when the gateway responds. */
  async restart(daemon: Daemon): Promise<void> {
    await this.#spawn(daemon)
    await this.#untilUp()
  }

  /** Stops a process with SIGSTOP: it stays connected, and does nothing. */
  async pause(daemon: Daemon): Promise<void> {
    await this.#daemons.get(daemon)!.pause()
  }

  resume(daemon: Daemon): void {
    this.#daemons.get(daemon)!.resume()
  }

  /** Kills everything, and removes the data. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    for (const daemon of ['rgw', 'osd', 'mon'] as const) await this.kill(daemon)
    await rm(this.#hostPath, { recursive: true, force: true })
  }

  /** The path of the configuration, as the processes see it. */
  get #conf(): string {
    return join(this.#directory, 'ceph.conf')
  }

  /** The folder of all data, as this process sees it. */
  get #hostPath(): string {
    return programs.hostPath(this.#directory)
  }

  async #create(options: CephOptions): Promise<void> {
    const directory = this.#directory
    const path = (name: string) => join(directory, name)
    const [v2, v1] = [await freePort(), await freePort()]
    const fsid = randomUUID()
    for (const name of ['mon', 'osd', 'rgw', 'log', 'run']) await mkdir(join(this.#hostPath, name))
    await writeFile(
      join(this.#hostPath, 'ceph.conf'),
      configuration({ directory, fsid, v1, v2, port: this.port, ...options }),
    )
    await programs.own(directory)
    const [keys, map] = [path('keyring'), path('monmap')]
    const everything = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *']
    const key = (...args: readonly string[]) =>
      programs.run(['ceph-authtool', keys, ...args, '--gen-key', ...everything])
    await key('--create-keyring', '-n', 'mon.')
    await key('-n', 'client.admin')
    await key('-n', 'client.rgw.a')
    const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`
    await programs.run(['monmaptool', '--create', '--fsid', fsid, '--addv', 'a', address, map])
    const made = ['--mkfs', '-i', 'a', '--monmap', map, '--keyring', keys]
    await programs.run(['ceph-mon', '-c', this.#conf, ...made])
    await this.#spawn('mon')
    const osd = randomUUID()
    await this.#ceph('osd', 'new', osd, '0')
    await this.#ceph('osd', 'crush', 'add-bucket', 'host0', 'host', 'root=default')
    await this.#ceph('osd', 'crush', 'add', 'osd.0', '1', 'host=host0')
    await programs.run(['ceph-osd', '-c', this.#conf, '-i', '0', '--mkfs', '--osd-uuid', osd])
    await this.#spawn('osd')
    while (!(await this.#ceph('osd', 'stat')).includes('1 up'));
    const { accessKeyId, secretAccessKey } = credentials
    const keysOfUser = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`]
    await this.control('user', 'create', '--uid=test', '--display-name=test', ...keysOfUser)
    await this.#spawn('rgw')
    await this.#untilUp()
  }

  async #ceph(...args: readonly string[]): Promise<string> {
    return programs.run(['ceph', '-c', this.#conf, ...args])
  }

  async #spawn(daemon: Daemon): Promise<void> {
    this.#daemons.set(daemon, await programs.start(this.#commands[daemon]))
  }

  async #untilUp(): Promise<void> {
    const gateway = this.#daemons.get('rgw')!
    for (;;) {
      try {
        await fetch(this.endpoint)
        return
      } catch (error) {
        if (!gateway.isRunning) throw new Error(`RGW ended: ${gateway.output}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
}

interface Configuration extends CephOptions {
  readonly directory: string
  readonly fsid: string
  readonly v1: number
  readonly v2: number
  readonly port: number
}

/**
 * One copy of everything, no authentication between the processes, and no delays. A disk that was
 * paused for most of the grace of its heartbeats may never serve some of its requests again, so the
 * grace is long.
 */
function configuration({
  directory,
  fsid,
  v1,
  v2,
  port,
  store = 'memstore',
  minPartSize = 5_242_880,
}: Configuration): string {
  const size = 4 * 1024 ** 3
  return `
[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = ${directory}/run
log file = ${directory}/log/$name.log
admin socket = ${directory}/run/$name.asok
pid file =
crash dir = ${directory}/log
keyring = ${directory}/keyring
osd heartbeat grace = 3600
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data avail warn = 2
mon data avail crit = 1
[mon]
mon data = ${directory}/mon
mon osd min down reporters = 1
mon cluster log file = ${directory}/log/cluster.log
paxos propose interval = 0.05
paxos min wait = 0.01
mon tick interval = 1
[osd]
osd data = ${directory}/osd
osd objectstore = ${store}
bluestore block size = ${size}
bluestore block create = true
bluestore fsck on mount = false
bluestore cache autotune = false
bluestore cache size = 67108864
osd memory target = 939524096
osd op num threads per shard = 1
osd op num shards = 2
memstore device bytes = ${size}
osd class update on start = false
osd crush update on start = false
[client]
rgw cache lru size = 1000
[client.rgw.a]
ms mon client mode = crc
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw thread pool size = 64
rgw data = ${directory}/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw enable quota threads = false
rgw gc obj min wait = 5
rgw gc processor period = 10
rgw multipart min part size = ${minPartSize}
rgw dns name = localhost
`
}
