import { Random } from './random.js'

/**
 * Where uploads are kept: a directory that is shared, or a bucket; and where their records and
 * locks are, if elsewhere.
 */
export const storageKinds = ['disk', 's3', 'disk+redis', 's3+postgres'] as const

export type StorageKind = (typeof storageKinds)[number]

/** The proxies that can be in front of the servers. */
export const fronts = ['nginx', 'HAProxy'] as const

export type Front = (typeof fronts)[number]

/** Settings of a whole run. Times are in milliseconds. */
export interface RunPlan {
  readonly storage: StorageKind
  /** Whether the data is in a bucket. */
  readonly inBucket: boolean
  readonly servers: number
  /** A proxy that distributes half of the requests over all servers. */
  readonly front?: Front
  readonly lease: number
  /** Of files on a disk. */
  readonly durability: 'os' | 'disk'
  /**
   * Whether the servers have finish hooks. Without them, full bytes are finished and no record says
   * so.
   */
  readonly hooks: boolean
  readonly clients: number
  /** The time after which an unfinished upload expires. */
  readonly expireAfter: number
  /** How long clients may take to finish after the last fault. */
  readonly recovery: number
  /** Of parts in a bucket, in bytes. */
  readonly partSize: number
  /** How many parts of an upload are stored at the same time. */
  readonly parallel: number
}

export function planRun(seed: number, storage: StorageKind, front?: Front): RunPlan {
  const random = new Random(seed, 'run')
  const isShared = storage !== 'disk'
  // A service responds more slowly than a disk.
  const slowness = isShared ? 2 : 1
  return {
    storage,
    inBucket: storage.startsWith('s3'),
    ...(front && { front }),
    servers: isShared ? 4 : 2,
    lease: slowness * random.integer(1_500, 2_500),
    durability: random.pick(['os', 'os', 'disk'] as const),
    hooks: random.chance(0.8),
    clients: 6,
    expireAfter: slowness * 30_000,
    recovery: slowness * 120_000,
    partSize: random.pick([65_536, 262_144, 1_048_576]),
    parallel: random.integer(1, 3),
  }
}

/** One file that a client uploads. */
export interface FilePlan {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /**
   * Bytes stored before the client declares the length. Absent: the creation does. `Infinity`: the
   * client never does.
   */
  readonly declareAt?: number
  /** Bytes stored before the client disappears. Absent: it stays until the upload ends. */
  readonly abandonAt?: number
  /** The interop version of the IETF draft that the client speaks. Absent: it speaks tus. */
  readonly interopVersion?: number
}

/** One task of a client from beginning to end. */
export interface JobPlan {
  /** More than one file: they are uploaded as partials at the same time, and concatenated. */
  readonly files: readonly FilePlan[]
  /** Whether the client creates the final upload before its partials are complete. */
  readonly finalFirst: boolean
  /** The end of a finished upload. `fight`: it is removed during the transfer. */
  readonly fate: 'keep' | 'remove' | 'fight'
}

const sizes = [0, 1, 4_096, 65_536, 1_048_576, 1_048_576, 4_194_304, 25_165_824]

export function planJob(seed: number, job: number): JobPlan {
  const random = new Random(seed, 'job', job)
  const joined = random.chance(0.2)
  const count = joined ? random.integer(2, 4) : 1
  const files = Array.from({ length: count }, (_, part): FilePlan => {
    const size = random.integer(0, random.pick(joined ? sizes.slice(0, -1) : sizes))
    const speaksDraft = !joined && random.chance(0.5)
    // In tus, only the length shows the end of an upload.
    const isSilent = speaksDraft && random.chance(0.5)
    return {
      name: `${seed}-${job}-${part}`,
      size,
      ...(random.chance(0.2) && { declareAt: random.integer(0, size) }),
      ...(isSilent && { declareAt: Infinity }),
      ...(random.chance(0.1) && { abandonAt: random.integer(0, size) }),
      ...(speaksDraft && { interopVersion: random.integer(3, 9) }),
    }
  })
  const large = files.reduce((sum, { size }) => sum + size, 0) > 262_144
  const fate = random.chance(0.1) ? 'fight' : large || random.chance(0.5) ? 'remove' : 'keep'
  return { files, finalFirst: random.chance(0.5), fate }
}

/** How a client breaks a connection. `hang`: it disappears without closing it. */
export type CutKind = 'reset' | 'fin' | 'hang'

/** One request with a body, and the disturbances on its way. */
export interface AttemptPlan {
  /** The number of a server, or a higher one for the proxy. */
  readonly server: number
  /** The maximum number of bytes to send. */
  readonly size: number
  readonly framing: 'sized' | 'chunked'
  readonly checksum?: { readonly algorithm: string; readonly in: 'header' | 'trailer' }
  /** Whether the bytes differ from those of the checksum. */
  readonly corrupt: boolean
  /** `share`: the part of the body, from 0 to 1, after which the connection breaks. */
  readonly cut?: { readonly share: number; readonly kind: CutKind }
  /** Whether a creation has a body. */
  readonly brings: boolean
  /**
   * Whether the client declares a body that reaches the end to be the last one. Otherwise it says
   * so later.
   */
  readonly ends: boolean
  /** Whether the client asks for the offset first although it knows one. */
  readonly ask: boolean
  /** Pieces of the body after which another client asks for the offset. */
  readonly spectateAt?: number
  /** Pieces of the body after which a second client sends bytes for the same upload. */
  readonly rivalAt?: number
  /** How long the client waits without any progress, in milliseconds. */
  readonly patience: number
}

export function planAttempt(
  name: string,
  attempt: number,
  { servers, front }: RunPlan,
): AttemptPlan {
  const random = new Random(name, 'attempt', attempt)
  const size = random.integer(1, random.pick([1, 1_000, 100_000, 1_000_000, 5_000_000, 30_000_000]))
  const checked = random.chance(0.35)
  const framing = random.pick(['sized', 'sized', 'chunked'] as const)
  const algorithm = random.pick(['sha1', 'md5', 'sha256', 'sha512'])
  // Proxies drop trailers.
  const trailer = framing === 'chunked' && random.chance(0.5) && front === undefined
  // All numbers after those of the servers are that of the proxy.
  const doors = front === undefined ? servers : 2 * servers
  return {
    server: random.integer(0, doors - 1),
    size,
    framing,
    ...(checked && { checksum: { algorithm, in: trailer ? 'trailer' : 'header' } as const }),
    corrupt: checked && random.chance(0.35),
    ...(random.chance(0.25) && {
      cut: {
        share: random.next(),
        kind: random.pick(['reset', 'fin', 'hang'] as const),
      },
    }),
    brings: random.chance(0.5),
    ends: random.chance(0.7),
    ask: random.chance(0.3),
    ...(random.chance(0.2) && { spectateAt: random.integer(0, 20) }),
    ...(random.chance(0.15) && { rivalAt: random.integer(0, 20) }),
    patience: random.pick([500, 1_000, 3_000, 45_000]),
  }
}

/** A fault of the servers. `after` and `lasts` count requests and pieces of bodies; see `Meter`. */
export interface ProcessFaultPlan {
  readonly kind: 'kill' | 'kill all' | 'stop' | 'suspend'
  readonly server: number
  readonly after: number
  readonly lasts: number
  /** For `suspend`: how long, as a part of the lease, and after how many pieces of wrong bytes. */
  readonly leases: number
  readonly amid: number
}

/** A fault of the storage. `after` and `lasts` count as those of processes. */
export interface StorageFaultPlan {
  readonly kind: string
  readonly after: number
  readonly lasts: number
}

/** A fault of the disk. */
export interface DiskFaultPlan extends StorageFaultPlan {
  readonly kind: 'full' | 'no names' | 'broken'
  /** The bytes, or names, that are left. */
  readonly left: number
  /** For `broken`: the calls that fail; how often (every n-th); and a part of the paths. */
  readonly calls: string
  readonly every: number
  readonly paths: string
}

/** A fault of the way from one server to a service. */
export interface LineFaultPlan extends StorageFaultPlan {
  /**
   * `cut off`: connections break, and new ones are refused. `unplugged`: all packets are lost, and
   * nobody learns of it.
   */
  readonly kind: (typeof lineFaults)[number]
  readonly server: number
  /** For `cut off amid`: how many bytes still pass, and their direction. */
  readonly bytes: number
  readonly direction: 'upstream' | 'downstream'
}

/** A fault of a bucket, or of the way to it. */
export type BucketFaultPlan = LineFaultPlan | ServiceFaultPlan<(typeof bucketFaults)[number]>

/** A fault of a database, or of the way to it. */
export type DatabaseFaultPlan = LineFaultPlan | ServiceFaultPlan<(typeof databaseFaults)[number]>

interface ServiceFaultPlan<Kind extends string> extends StorageFaultPlan {
  readonly kind: Kind
}

const processFaults = ['kill', 'kill', 'kill all', 'stop', 'suspend', 'suspend'] as const
const diskFaults = ['full', 'full', 'no names', 'broken', 'broken', 'broken'] as const
const lineFaults = ['cut off', 'cut off amid', 'cut off amid', 'unplugged', 'unplugged'] as const
const bucketFaults = ['gateway busy', 'gateway killed', 'gateway paused', 'disk paused'] as const
const databaseFaults = ['database killed', 'database paused'] as const

/** Each round has every kind. */
export function planProcessFault(seed: number, number: number, servers: number): ProcessFaultPlan {
  const random = new Random(seed, 'process fault', number)
  return {
    kind: turn(seed, 'process faults', number, processFaults),
    server: random.integer(0, servers - 1),
    after: random.integer(10, 500),
    lasts: random.integer(0, 100),
    leases: random.pick([0.5, 1.5, 2, 3]),
    amid: random.integer(2, 20),
  }
}

export function planDiskFault(seed: number, number: number): DiskFaultPlan {
  const random = new Random(seed, 'disk fault', number)
  const kind = turn(seed, 'disk faults', number, diskFaults)
  return {
    kind,
    after: random.integer(200, 1_000),
    lasts: random.integer(5, 200),
    left: kind === 'full' ? random.integer(0, 524_288) : random.integer(0, 20),
    calls: random.pick(['w', 'w', 'ws', 's', 't', 'r', 'u', 'wstru', 'o', 'ld', 'p', 'oldpwstmru']),
    every: random.pick([1, 1, 2, 5, 20]),
    paths: random.pick(['/', '/', '/.', '.info', '/.locks/', '.verified']),
  }
}

export function planBucketFault(seed: number, number: number, servers: number): BucketFaultPlan {
  const random = new Random(seed, 'bucket fault', number)
  const kind = turn(seed, 'bucket faults', number, [...lineFaults, ...bucketFaults])
  return { kind, ...planWay(random, servers, [1_000, 100_000, 1_000_000]) }
}

export function planDatabaseFault(
  seed: number,
  number: number,
  servers: number,
): DatabaseFaultPlan {
  const random = new Random(seed, 'database fault', number)
  const kind = turn(seed, 'database faults', number, [...lineFaults, ...databaseFaults])
  return { kind, ...planWay(random, servers, [100, 1_000, 10_000]) }
}

function planWay(random: Random, servers: number, sizes: readonly number[]) {
  return {
    after: random.integer(50, 500),
    // Without a number of events it ends after two leases: others have taken the locks over.
    lasts: random.pick([random.integer(5, 500), Infinity]),
    server: random.integer(0, servers - 1),
    bytes: random.integer(0, random.pick(sizes)),
    direction: random.pick(['upstream', 'downstream'] as const),
  }
}

function turn<T>(seed: number, name: string, number: number, kinds: readonly T[]): T {
  const round = Math.floor(number / kinds.length)
  return new Random(seed, name, round).shuffle(kinds)[number % kinds.length]!
}
