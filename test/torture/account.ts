import { now } from './clock.js'
import type { Referee } from './referee.js'
import { isReply, type Outcome, type Reply } from './send.js'

/** What is known when a request for an upload begins; its answer may not tell of less. */
export interface Question {
  readonly method: string
  readonly since: number
  /** The highest offset that was announced before. */
  readonly floor: number
  readonly gone: boolean
  /** Whether it tells the length. */
  readonly declares: boolean
  readonly patience: number
}

/** What is known about an upload before it exists. */
export interface Subject {
  readonly name: string
  /** Bytes of the whole. */
  readonly size: number
  /** Whether the creation tells the length. */
  readonly declared: boolean
  /** Partial uploads have no finish hooks. */
  readonly partial: boolean
  /** What it is joined from: without them it may end although nobody removes it. */
  readonly parts?: readonly Account[]
}

/** What the referee knows about one upload. */
export class Account {
  readonly name: string
  readonly partial: boolean
  readonly #size: number
  readonly #parts: readonly Account[]
  readonly #referee: Referee
  #path = '/files'
  /** The highest offset that was announced. */
  #acknowledged = 0
  /** The bytes that may count: they were sent, and are what they should be. */
  #ceiling = 0
  /** When the last request began that is known to have postponed the expiry. */
  #touched = now()
  #removal: 'none' | 'asked' | 'done' = 'none'
  #declared: boolean
  /** Whether it waits for bytes that never come. */
  doomed = false
  /** When it was first known that the upload is finished. */
  finishedAt: number | undefined

  constructor(referee: Referee, { name, size, declared, partial, parts = [] }: Subject) {
    this.#referee = referee
    this.name = name
    this.partial = partial
    this.#size = size
    this.#declared = declared
    this.#parts = parts
    // What is joined is there already.
    if (parts.length > 0) this.#ceiling = size
  }

  /** Where it is; until the creation is answered, where that is asked for. */
  get path(): string {
    return this.#path
  }

  get id(): string {
    return this.#path.split('/').at(-1)!
  }

  place(path: string): void {
    this.#path = path
    this.#referee.accounts.push(this)
  }

  /** Whether it must be there at the end. */
  get stays(): boolean {
    return this.finishedAt !== undefined && this.#removal === 'none'
  }

  /** Whether the server knows how long the upload is. */
  get declared(): boolean {
    return this.#declared
  }

  /** Whether nobody will find it any more. */
  get gone(): boolean {
    return this.#removal === 'done'
  }

  /** Whether so much time has passed that the upload may be over. */
  get mayHaveExpired(): boolean {
    const { expireAfter } = this.#referee.plan
    return this.finishedAt === undefined && now() - this.#touched >= expireAfter / 2
  }

  /** Bytes up to `end` are about to be sent. */
  mayHold(end: number): void {
    this.#ceiling = Math.max(this.#ceiling, end)
  }

  ask(method: string, patience: number, declares: boolean): Question {
    if (method === 'DELETE' && this.#removal === 'none') this.#removal = 'asked'
    const known = { floor: this.#acknowledged, gone: this.gone }
    return { method, since: now(), patience, declares, ...known }
  }

  /** Judges an answer, and returns it when it came. */
  answer(question: Question, outcome: Outcome): Reply | undefined {
    const { method, since, patience } = question
    const said = isReply(outcome) ? `${outcome.status}` : outcome.lost
    this.#referee.count(`${method} ${said}`)
    const offset = isReply(outcome) ? outcome.headers['upload-offset'] : undefined
    this.#referee.note(
      `${this.name} ${this.id} ${method} ${said} ${offset ?? ''} [${now() - since}]`,
    )
    if (!isReply(outcome)) {
      const silent = outcome.lost === 'silence' && patience > 30_000
      if (silent && !this.#referee.disturbed(undefined, since, now())) {
        this.blame(`no answer to ${method} for ${patience} ms`)
      }
      return undefined
    }
    this.#judgeStatus(question, outcome)
    if (outcome.status < 300 && (question.declares || outcome.headers['upload-length'])) {
      this.#declared = true
    }
    if (offset !== undefined) this.#judgeOffset(question, outcome.status, Number(offset))
    return outcome
  }

  blame(text: string): void {
    this.#referee.blame(`${this.name} at ${this.path}: ${text}`)
  }

  #judgeStatus({ method, since, gone }: Question, { status, text }: Reply): void {
    if (status < 300) {
      if (gone) this.blame(`${method} found it after it was gone`)
      if (method === 'DELETE') this.#removal = 'done'
      else if (method !== 'HEAD' && method !== 'GET') this.#touched = Math.max(this.#touched, since)
    } else if (status === 404 || status === 410) {
      const lost = !this.mayHaveExpired && !this.doomed && !this.#lacksParts
      if (this.#removal === 'none' && lost) this.blame(`${method} got ${status}`)
      if (this.#removal === 'none') this.#referee.count('expired')
      this.#removal = 'done'
    } else if (status === 500 || status === 507) {
      if (this.#referee.disturbed('disk', since, now())) return
      this.blame(`${method} got ${status} although the disk is well: ${text}`)
    } else if (status === 400 && this.#lacksParts) {
      this.doomed = true
    } else if (![409, 423, 460, 503].includes(status)) {
      this.blame(`${method} got ${status}: ${text}`)
    }
  }

  get #lacksParts(): boolean {
    return this.#parts.some((part) => part.gone || part.mayHaveExpired)
  }

  #judgeOffset({ method, floor }: Question, status: number, offset: number): void {
    if (offset < floor) this.blame(`${method} says ${offset}, but ${floor} had been acknowledged`)
    if (offset > this.#ceiling) {
      this.blame(`${method} says ${offset}, but only ${this.#ceiling} bytes can count`)
    }
    this.#acknowledged = Math.max(this.#acknowledged, offset)
    // An error that tells a full offset does not say that the upload is finished.
    if (status < 300 && offset === this.#size && this.#declared) this.finishedAt ??= now()
  }
}
