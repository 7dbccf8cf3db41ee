/** The memory of one writer. */
export class MemoryShare {
  readonly #spill: () => Promise<void>
  /** The most bytes that it will have. */
  most = 0
  /** Bytes of memory that it has for what it gathers. */
  bytes = 0
  /** When it got the last of them, by `performance.now()`. */
  since = 0
  /** Bytes that it waits for, and whether it needs more after that. */
  wanted = 0
  needsMore = false
  grant: (() => void) | undefined
  spilling: Promise<void> | undefined
  /** Whether it waits for its client. */
  isIdle = true

  constructor(spill: () => Promise<void>) {
    this.#spill = spill
  }

  spill(): Promise<void> {
    return this.#spill()
  }
}

/** Milliseconds that a client may take to fill its memory while others wait for some. */
const patience = 2_000

/**
 * Limits the memory for the bytes of all uploads. Writers take it in steps: little for their first
 * bytes, and then enough for a whole part. They free it when these are stored.
 *
 * First steps leave half of it free, but for parts on their way, and the writer that has most comes
 * first: so there is always a part that can be filled, sent and freed. Slow clients keep memory
 * that nobody else can use. When others wait, and less than half of it is on its way to S3, those
 * that have had much of it for a long time spill their bytes.
 */
export class Memory {
  readonly #total: number
  readonly #shares = new Set<MemoryShare>()
  readonly #waiting = new Set<MemoryShare>()
  #used = 0
  /** Bytes that are on their way to S3, and are free soon. */
  #leaving = 0
  #reserved = 0
  #timer: NodeJS.Timeout | undefined

  /** @param total - In bytes. */
  constructor(total: number) {
    this.#total = total
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used
  }

  /**
   * Registers a writer. `spill` takes what it has gathered with {@link Memory.send} at once, and
   * stores it. It never rejects.
   */
  open(spill: () => Promise<void>): MemoryShare {
    const share = new MemoryShare(spill)
    this.#shares.add(share)
    return share
  }

  /**
   * Returns how many of so many bytes a writer can have at once. They will not be reserved, so that
   * it gets them one day.
   */
  allot(share: MemoryShare, bytes: number): number {
    share.most = Math.min(bytes, this.#total - this.#reserved)
    return share.most
  }

  /**
   * Takes memory. Waits until there is enough, and rejects with `signal.reason` if the signal
   * aborts meanwhile. During the wait, the gathered bytes may be spilled.
   *
   * @param needsMore - Whether the writer needs more before it can send its part.
   */
  async take(
    share: MemoryShare,
    bytes: number,
    needsMore: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted()
    share.wanted = bytes
    share.needsMore = needsMore
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(share)
        reject(signal.reason as Error)
      }
      share.grant = () => {
        signal.removeEventListener('abort', giveUp)
        this.#waiting.delete(share)
        share.bytes += bytes
        share.since = performance.now()
        this.#used += bytes
        resolve()
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(share)
      this.#serve()
    })
  }

  /** Notes that the writer has bytes from its client. Returns a promise while it spills others. */
  use(share: MemoryShare): Promise<void> | undefined {
    share.isIdle = false
    return share.spilling
  }

  /** Notes that the writer waits for its client. */
  rest(share: MemoryShare): void {
    share.isIdle = true
  }

  /** Notes that the gathered bytes are on their way. Returns what frees them; once is enough. */
  send(share: MemoryShare): () => void {
    const { bytes } = share
    share.bytes = 0
    this.#leaving += bytes
    let isFree = false
    return () => {
      if (isFree) return
      isFree = true
      this.#leaving -= bytes
      this.#free(bytes)
    }
  }

  /** Frees what the writer has gathered. */
  close(share: MemoryShare): void {
    this.#shares.delete(share)
    this.#free(share.bytes)
  }

  /**
   * Takes memory that cannot be spilled, if there is any. At most half of all memory is reserved,
   * and nothing that was allotted to a writer, so that the rest always gets free again. Returns
   * what frees it, or `undefined`.
   */
  reserve(bytes: number): (() => void) | undefined {
    const isScarce = this.#waiting.size > 0 || this.#used + bytes > this.#total
    const allotted = [...this.#shares].reduce((most, share) => Math.max(most, share.most), 0)
    const most = Math.min(this.#total / 2, this.#total - allotted)
    if (isScarce || this.#reserved + bytes > most) return undefined
    this.#reserved += bytes
    this.#used += bytes
    return () => {
      this.#reserved -= bytes
      this.#free(bytes)
    }
  }

  #free(bytes: number): void {
    this.#used -= bytes
    this.#serve()
  }

  #serve(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) next.grant!()
    this.#relieve()
    clearTimeout(this.#timer)
    if (this.#waiting.size === 0) return
    // Nothing else may happen until a client has become slow.
    this.#timer = setTimeout(() => this.#serve(), patience / 4).unref()
  }

  /**
   * The next writer for which there is enough memory. Nobody overtakes the one that has most; among
   * those that have nothing, it is the first that has waited.
   */
  #next(): MemoryShare | undefined {
    const ready = [...this.#waiting].filter(({ spilling }) => spilling === undefined)
    const most = ready.reduce((most, { bytes }) => Math.max(most, bytes), 0)
    const first = ready.filter(({ bytes }) => bytes === most)
    const gathered = this.#used - this.#leaving - this.#reserved
    const half = (this.#total - this.#reserved) / 2
    return first.find(({ wanted, needsMore }) => {
      const leavesHalf = gathered === 0 || gathered + wanted <= half
      return this.#used + wanted <= this.#total && (!needsMore || leavesHalf)
    })
  }

  /** Spills bytes if too little memory for those who wait will be free soon. */
  #relieve(): void {
    const wanted = [...this.#waiting].reduce((sum, share) => sum + share.wanted, 0)
    while (this.#leaving < Math.min(wanted, this.#total / 2)) {
      const share = this.#slowest() ?? this.#least()
      if (share === undefined) return
      share.spilling = share.spill().finally(() => {
        share.spilling = undefined
        this.#serve()
      })
    }
  }

  /** The writer that has waited for its client too long, and with most memory. */
  #slowest(): MemoryShare | undefined {
    const now = performance.now()
    let [slowest, most]: [MemoryShare | undefined, number] = [undefined, 0]
    for (const share of this.#shares) {
      const time = now - share.since
      if (!share.isIdle || time < patience || share.bytes * time <= most) continue
      slowest = share
      most = share.bytes * time
    }
    return slowest
  }

  /** The waiting writer with the least memory, if nobody else would ever free some. */
  #least(): MemoryShare | undefined {
    if (this.#leaving > 0) return undefined
    let least: MemoryShare | undefined
    for (const share of this.#shares) {
      if (share.bytes === 0) continue
      if (share.grant === undefined || !this.#waiting.has(share)) return undefined
      if (share.bytes < (least?.bytes ?? Infinity)) least = share
    }
    return least
  }
}
