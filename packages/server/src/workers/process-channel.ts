import { randomUUID } from 'node:crypto'

/** The half of a channel between two processes that Node offers: `process`, or a worker. */
export interface Endpoint {
  send?(message: object, done?: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
  once(event: 'disconnect', listener: () => void): unknown
}

/** Functions that the other process may call. Arguments and results are JSON. */
export type Methods = Readonly<Record<string, (...parameters: never[]) => unknown>>

type Message =
  | { readonly call: string; readonly method: string; readonly parameters: readonly unknown[] }
  | { readonly reply: string; readonly result?: unknown; readonly failure?: string }

/** Calls functions in another process, and lets it call functions of this one. */
export class ProcessChannel {
  readonly #endpoint: Endpoint
  readonly #waiting = new Map<string, (reply: { result?: unknown; failure?: string }) => void>()

  constructor(endpoint: Endpoint, methods: Methods) {
    this.#endpoint = endpoint
    endpoint.on('message', (message) => void this.#receive(message as Message, methods))
    endpoint.once('disconnect', () => {
      for (const settle of this.#waiting.values()) settle({ failure: 'The process has ended' })
      this.#waiting.clear()
    })
  }

  /** Returns what a function of the other process returns. Rejects if that process ends. */
  call(method: string, ...parameters: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = randomUUID()
      this.#waiting.set(id, ({ result, failure }) => {
        if (failure === undefined) resolve(result)
        else reject(new Error(failure))
      })
      this.#send({ call: id, method, parameters }, (error) => {
        if (error) this.#settle(id, { failure: error.message })
      })
    })
  }

  async #receive(message: Message, methods: Methods): Promise<void> {
    if ('reply' in message) return this.#settle(message.reply, message)
    if (!('call' in message)) return
    const reply = message.call
    try {
      const method = methods[message.method] as (...parameters: unknown[]) => unknown
      this.#send({ reply, result: await method(...message.parameters) })
    } catch (error) {
      this.#send({ reply, failure: (error as Error).message })
    }
  }

  #settle(id: string, reply: { result?: unknown; failure?: string }): void {
    this.#waiting.get(id)?.(reply)
    this.#waiting.delete(id)
  }

  #send(message: Message, done: (error: Error | null) => void = () => {}): void {
    // A process that has ended gets no more messages, and needs none.
    try {
      this.#endpoint.send?.(message, done)
    } catch (error) {
      done(error as Error)
    }
  }
}
