/** The memory of one writer. */
export class MemoryShare {
  readonly #spill: () => Promise<void>
  /** Bytes that are being gathered. */
  gathered = 0
  /** The time since which the writer has had nothing to do, or has waited for memory. */
  since = performance.now()
  /** Takes the memory that the writer waits for. */
  grant: (() => void) | undefined
  spilling: Promise<void> | undefined
  /** Whether the writer is waiting for its client. */
  isIdle = true

  constructor(spill: () => Promise<void>) {
    this.#spill = spill
  }

  spill(): Promise<void> {
    return this.#spill()
  }
}

/** Milliseconds without bytes after which a client is slow. */
const slow = 1_000

/**
 * Limits how many bytes of all uploads are in memory. Writers take memory for the bytes that they
 * gather, and free it when these are stored.
 *
 * When none is left, the part that is nearest to full gets memory first: it is sent next, and frees
 * the most. Slow clients hold memory that nobody else can use meanwhile, so as long as less than
 * half of it is on its way to S3, those that have held many bytes for a long time spill them.
 */
export class Memory {
  readonly #total: number
  readonly #shares = new Set<MemoryShare>()
  readonly #waiting = new Set<MemoryShare>()
  #used = 0
  /** Bytes that are on their way to S3, and are free soon. */
  #leaving = 0
  #reserved = 0

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
   * Takes memory, and returns for how many bytes: at least one, at most `most`. Waits if there is
   * none, and rejects with `signal.reason` if the signal aborts meanwhile. During the wait, the
   * gathered bytes may be spilled.
   */
  async take(share: MemoryShare, most: number, signal: AbortSignal): Promise<number> {
    share.isIdle = false
    if (share.spilling !== undefined) await share.spilling
    signal.throwIfAborted()
    if (this.#waiting.size === 0 && this.#used < this.#total) return this.#give(share, most)
    share.since = performance.now()
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(share)
        share.grant = undefined
        reject(signal.reason as Error)
      }
      share.grant = () => {
        signal.removeEventListener('abort', giveUp)
        this.#waiting.delete(share)
        share.grant = undefined
        resolve(this.#give(share, most))
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.add(share)
      this.#serve()
    })
  }

  /** Notes that the writer waits for its client. */
  rest(share: MemoryShare): void {
    share.isIdle = true
    share.since = performance.now()
    this.#relieve()
  }

  /** Notes that the gathered bytes are on their way. Returns what frees them; once is enough. */
  send(share: MemoryShare): () => void {
    const bytes = share.gathered
    share.gathered = 0
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
    this.#free(share.gathered)
  }

  /**
   * Takes memory that cannot be spilled, if there is any. At most half of all memory is reserved,
   * so that the rest always gets free again. Returns what frees it, or `undefined`.
   */
  reserve(bytes: number): (() => void) | undefined {
    const isScarce = this.#waiting.size > 0 || this.#used + bytes > this.#total
    if (isScarce || this.#reserved + bytes > this.#total / 2) return undefined
    this.#reserved += bytes
    this.#used += bytes
    return () => {
      this.#reserved -= bytes
      this.#free(bytes)
    }
  }

  #give(share: MemoryShare, most: number): number {
    const bytes = Math.min(most, this.#total - this.#used)
    this.#used += bytes
    share.gathered += bytes
    return bytes
  }

  #free(bytes: number): void {
    this.#used -= bytes
    this.#serve()
  }

  #serve(): void {
    while (this.#used < this.#total) {
      const next = this.#next()
      if (next === undefined) return
      next.grant!()
    }
    this.#relieve()
  }

  /** The writer whose part is nearest to full. Among equals, the one that has waited longest. */
  #next(): MemoryShare | undefined {
    let next: MemoryShare | undefined
    for (const share of this.#waiting) {
      if (share.spilling === undefined && share.gathered > (next?.gathered ?? -1)) next = share
    }
    return next
  }

  /** Spills bytes if somebody waits and too little memory will be free soon. */
  #relieve(): void {
    while (this.#waiting.size > 0 && this.#leaving < this.#total / 2) {
      const share = this.#slowest() ?? (this.#leaving === 0 ? this.#emptiest() : undefined)
      if (share === undefined) return
      share.spilling = share.spill().finally(() => {
        share.spilling = undefined
        this.#serve()
      })
    }
  }

  /** The idle writer that has kept the most bytes for the longest time. */
  #slowest(): MemoryShare | undefined {
    const now = performance.now()
    // While nothing is on its way, nobody else frees memory.
    const least = this.#leaving === 0 ? 0 : slow
    let [slowest, most]: [MemoryShare | undefined, number] = [undefined, 0]
    for (const share of this.#shares) {
      const time = now - share.since
      const kept = share.gathered * (time + 1)
      if (share.isIdle && time >= least && kept > most) [slowest, most] = [share, kept]
    }
    return slowest
  }

  /** The waiting writer that has the fewest bytes. It has the longest way to a full part. */
  #emptiest(): MemoryShare | undefined {
    let emptiest: MemoryShare | undefined
    for (const share of this.#waiting) {
      if (share.gathered > 0 && share.gathered < (emptiest?.gathered ?? Infinity)) emptiest = share
    }
    return emptiest
  }
}
