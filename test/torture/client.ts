import { setTimeout as sleep } from 'node:timers/promises'
import { Account } from './account.js'
import { chunkOf } from './chunk.js'
import { Content, fingerprint } from './content.js'
import { askOffset, exchange, pause, remove, type World } from './exchange.js'
import { planAttempt, type AttemptPlan, type FilePlan } from './plan.js'
import { draft, offsetIn, tus, type Speech } from './speech.js'

/** The purpose of an upload. */
export interface ClientOptions {
  /** Whether it is a partial upload. Default: false. */
  readonly partial?: boolean
  /** Whether another request removes it during the transfer. Default: false. */
  readonly fights?: boolean
}

/** Uploads one file, whatever happens on the way. */
export class Client {
  readonly content: Content
  readonly #world: World
  readonly #file: FilePlan
  readonly #options: ClientOptions
  readonly #speech: Speech
  #attempt = 0
  #account: Account | undefined
  #offset: number | undefined

  constructor(world: World, file: FilePlan, options: ClientOptions = {}) {
    this.content = new Content(file.name, file.size)
    this.#world = world
    this.#file = file
    this.#options = options
    this.#speech = file.interopVersion === undefined ? tus : draft(file.interopVersion)
    world.referee.files.set(file.name, fingerprint([this.content]))
  }

  /** Resolves when the upload exists. */
  async create(): Promise<Account> {
    while (this.#account === undefined) await this.#create(this.#next())
    return this.#account
  }

  /** Resolves when the upload is full; `undefined` if it never will be. */
  async complete(): Promise<Account | undefined> {
    const account = await this.create()
    const { abandonAt = Infinity } = this.#file
    for (;;) {
      const step = this.#next()
      const offset = this.#offset
      if (account.gone) return undefined
      if (offset === undefined || step.ask) {
        this.#offset = await askOffset(this.#world, account, step)
      } else if (offset >= abandonAt) {
        return undefined
      } else if (account.finishedAt !== undefined) {
        return account
      } else {
        this.#offset = await this.#append(account, offset, step)
      }
      if (this.#offset === undefined) await sleep(pause)
    }
  }

  #next(): AttemptPlan {
    return planAttempt(this.#file.name, this.#attempt++, this.#world.referee.plan)
  }

  async #create(step: AttemptPlan): Promise<void> {
    const { name, size, declareAt } = this.#file
    const { partial = false } = this.#options
    const speech = this.#speech
    const declared = declareAt === undefined
    const account = new Account(this.#world.referee, { name, size, declared, partial, speech })
    const chunk = step.brings ? chunkOf(this.content, account, speech, 0, step) : { headers: {} }
    const ends = step.ends && 'end' in chunk && chunk.end === size
    const length = declared ? size : undefined
    const headers = {
      ...speech.marks,
      ...speech.create({ name, length, partial, ends }),
      ...chunk.headers,
    }
    const request = { method: 'POST', ...chunk, headers }
    const reply = await exchange(this.#world, account, request, step, { ends })
    // An error has a `Location`, too, once the upload exists.
    if (!account.placed) return void (await sleep(pause))
    this.#account = account
    if (reply && reply.status < 300) this.#offset = offsetIn(reply.headers) ?? 0
  }

  /**
   * Sends a chunk while other clients access the same upload. Returns the offset if it is known
   * afterwards.
   */
  async #append(account: Account, offset: number, step: AttemptPlan): Promise<number | undefined> {
    const others: Promise<unknown>[] = []
    let pieces = 0
    const stored = await this.#send(account, offset, step, () => {
      if (pieces === step.spectateAt) {
        const server = this.#world.farm.after(step.server)
        others.push(askOffset(this.#world, account, { ...step, server }))
      }
      if (pieces === step.rivalAt) others.push(this.#rival(account))
      if (pieces === 2 && this.#options.fights) others.push(remove(this.#world, account))
      pieces++
    })
    await Promise.all(others)
    return stored
  }

  /** A second client, which knows nothing about the first. */
  async #rival(account: Account): Promise<void> {
    const step = this.#next()
    this.#world.referee.count('rival')
    const offset = await askOffset(this.#world, account, step)
    if (offset !== undefined) await this.#send(account, offset, step, () => {})
  }

  async #send(
    account: Account,
    offset: number,
    step: AttemptPlan,
    beforePiece: () => void,
  ): Promise<number | undefined> {
    const { size, declareAt = 0 } = this.#file
    const speech = this.#speech
    const chunk = chunkOf(this.content, account, speech, offset, step)
    const declares = !account.declared && chunk.end >= declareAt
    const ends = chunk.end === size && (step.ends || offset === size)
    const length = declares ? size : undefined
    const headers = {
      ...speech.marks,
      ...speech.append({ offset, length, ends }),
      ...chunk.headers,
    }
    const onPiece = (bytes: number) => {
      beforePiece()
      this.#world.meter.tick()
      if (chunk.wrong) this.#world.meter.tick(`wrong bytes to ${step.server}`)
      chunk.onPiece(bytes)
    }
    const request = { method: 'PATCH', ...chunk, headers, onPiece }
    const reply = await exchange(this.#world, account, request, step, { declares, ends })
    if (reply === undefined || reply.status >= 300) return undefined
    const stored = offsetIn(reply.headers)
    if (chunk.wrong) account.blame('bytes were accepted despite a wrong digest')
    else if (stored !== chunk.end) account.blame(`the response to ${chunk.end} was ${stored}`)
    else if (ends && account.finishedAt === undefined)
      account.blame('the last chunk did not finish the upload')
    return stored
  }
}
