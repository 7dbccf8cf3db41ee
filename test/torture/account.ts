import type { IncomingHttpHeaders } from 'node:http'
import { now } from './clock.js'
import type { Referee } from './referee.js'
import { isReply, type Outcome, type Reply } from './send.js'
import { offsetIn, type Speech } from './speech.js'

/** The facts known when a request begins. Its response must not report less. */
export interface Question {
  readonly method: string
  readonly since: number
  /** The highest offset announced before. */
  readonly floor: number
  readonly gone: boolean
  readonly finished: boolean
  readonly declares: boolean
  readonly patience: number
}

/** The claims of a request. */
export interface Claims {
  /** Whether it declares the length. Default: false. */
  readonly declares?: boolean
  /** Whether it declares its body to be the last one. Default: false. */
  readonly ends?: boolean
}

/** The facts about an upload before it exists. */
export interface Subject {
  readonly name: string
  /** The size of the whole upload in bytes. */
  readonly size: number
  /** Whether the creation declares the length. */
  readonly declared: boolean
  /** Partial uploads have no finish hooks. */
  readonly partial: boolean
  readonly speech: Speech
  /** The parts of a final upload. Without them it may disappear although no client removes it. */
  readonly parts?: readonly Account[]
}

const creationPath = '/files'

/** The referee's knowledge of one upload. */
export class Account {
  readonly name: string
  readonly partial: boolean
  readonly speech: Speech
  readonly #size: number
  readonly #parts: readonly Account[]
  readonly #referee: Referee
  #path = creationPath
  /** The highest offset announced so far. */
  #acknowledged = 0
  /** The number of bytes that may count: the client sent them, and they match their checksum. */
  #ceiling = 0
  readonly #createdAt = now()
  /** When the last request began that is known to have postponed the expiry. */
  #touched = now()
  #removal: 'none' | 'requested' | 'done' = 'none'
  #declared: boolean
  /** Whether its client ever declared a body to be the last one. */
  #ended = false
  /** Whether it waits for bytes that never come. */
  doomed = false
  /** When it was first known that the upload is finished. */
  finishedAt: number | undefined

  constructor(referee: Referee, { name, size, declared, partial, speech, parts = [] }: Subject) {
    this.#referee = referee
    this.name = name
    this.partial = partial
    this.speech = speech
    this.#size = size
    this.#declared = declared
    this.#parts = parts
    // A final upload consists of bytes that are already there.
    if (parts.length > 0) this.#ceiling = size
  }

  /** Its path. Before the response to its creation: the path for creations. */
  get path(): string {
    return this.#path
  }

  get id(): string {
    return this.#path.split('/').at(-1)!
  }

  /** Whether its path is known. */
  get placed(): boolean {
    return this.#path !== creationPath
  }

  /** Whether it must exist at the end. */
  get stays(): boolean {
    return this.finishedAt !== undefined && this.#removal === 'none'
  }

  /** Whether the server knows its length. */
  get declared(): boolean {
    return this.#declared
  }

  /** Whether it fits into one part of a bucket. */
  get isSmall(): boolean {
    const { inBucket, partSize } = this.#referee.plan
    return inBucket && this.#size <= partSize
  }

  /** Whether no client can find it any more. */
  get gone(): boolean {
    return this.#removal === 'done'
  }

  /** Whether it may have expired by now. */
  get mayHaveExpired(): boolean {
    const { expireAfter } = this.#referee.plan
    return this.finishedAt === undefined && now() - this.#touched >= expireAfter / 2
  }

  /** Call this before you send the bytes up to `end`. */
  mayHold(end: number): void {
    this.#ceiling = Math.max(this.#ceiling, end)
  }

  ask(method: string, patience: number, { declares = false, ends = false }: Claims): Question {
    if (method === 'DELETE' && this.#removal === 'none') this.#removal = 'requested'
    this.#ended ||= ends
    const finished = this.finishedAt !== undefined
    const known = { floor: this.#acknowledged, gone: this.gone, finished }
    return { method, since: now(), patience, declares, ...known }
  }

  /** Judges the headers of a response. Interim responses and refusals may report an offset, too. */
  hear({ method, floor }: Question, headers: IncomingHttpHeaders): void {
    const { location } = headers
    if (location !== undefined && !this.placed) {
      this.#path = location
      this.#referee.accounts.push(this)
    }
    const offset = offsetIn(headers)
    if (offset === undefined) return
    if (offset < floor) this.blame(`${method} says ${offset}, but ${floor} had been acknowledged`)
    if (offset > this.#ceiling) {
      this.blame(`${method} says ${offset}, but only ${this.#ceiling} bytes can count`)
    }
    this.#acknowledged = Math.max(this.#acknowledged, offset)
  }

  /** Judges a response, and returns it if there is one. */
  judge(question: Question, outcome: Outcome): Reply | undefined {
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
        this.blame(`no response to ${method} for ${patience} ms`)
      }
      return undefined
    }
    this.#judgeStatus(question, outcome)
    if (outcome.status < 300 && (question.declares || outcome.headers['upload-length'])) {
      this.#declared = true
    }
    this.hear(question, outcome.headers)
    // A download has no headers of a protocol.
    if (method !== 'GET') this.#judgeEnd(question, outcome)
    return outcome
  }

  blame(text: string): void {
    this.#referee.blame(`${this.name} at ${this.path}: ${text}`)
  }

  #judgeStatus({ method, since, gone }: Question, reply: Reply): void {
    const { status, text } = reply
    if (status < 300) {
      if (gone) this.blame(`${method} found it after it was removed`)
      if (method === 'DELETE') this.#removal = 'done'
      else if (method !== 'HEAD' && method !== 'GET') this.#touched = Math.max(this.#touched, since)
    } else if (status === 404 || status === 410) {
      const explained = this.mayHaveExpired || this.doomed || this.#lacksParts
      const lost = !explained && !this.#mayNeverExist
      if (this.#removal === 'none' && lost) this.blame(`${method} got ${status}`)
      if (this.#removal === 'none') this.#referee.count('expired')
      this.#removal = 'done'
    } else if (status === 500 || status === 507) {
      // A disk may fail in any way. The failures of a service are known.
      const { plan } = this.#referee
      if (!plan.inBucket && this.#referee.disturbed('storage', since, now())) return
      this.blame(`${method} got ${status} although the storage is well: ${text}`)
    } else if (status === 502 || status === 504) {
      // The proxy could not reach a server, or lost it. A server also closes the connection of a
      // request that sends a body when another one takes over.
      const { front } = this.#referee.plan
      const mayBeClosed = status === 502 && ['PATCH', 'POST'].includes(method)
      const isExplained = mayBeClosed || this.#referee.disturbed('process', since, now())
      if (front !== undefined && isExplained) return
      this.blame(`${method} got ${status}: ${text}`)
    } else if (status === 400 && this.#lacksParts) {
      this.doomed = true
    } else if (![409, 423, 503].includes(status) && !this.speech.deserved(reply)) {
      this.blame(`${method} got ${status}: ${text}`)
    }
  }

  /**
   * Whether it may be a small file that was to come whole in its creation: nothing shows it in a
   * bucket before all of it is stored, even if an interim response has announced its URL.
   */
  get #mayNeverExist(): boolean {
    if (!this.isSmall || this.#acknowledged > 0) return false
    return this.#referee.disturbed(undefined, this.#createdAt, now())
  }

  get #lacksParts(): boolean {
    return this.#parts.some((part) => part.gone || part.mayHaveExpired)
  }

  #judgeEnd({ method, finished }: Question, reply: Reply): void {
    const size = this.#declared ? this.#size : undefined
    const offset = offsetIn(reply.headers)
    if (offset === undefined) return
    if (this.speech.saysComplete(reply, size)) {
      if (offset !== this.#size) this.blame(`${method} says complete at ${offset}`)
      if (this.speech.protocol === 'ietf' && !this.#ended)
        this.blame(`${method} says complete, but no request said so`)
      this.finishedAt ??= now()
    } else if (finished && reply.status < 300) {
      this.blame(`${method} says incomplete after it was complete`)
    }
  }
}
