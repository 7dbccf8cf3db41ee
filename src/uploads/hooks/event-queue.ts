/**
 * Runs the tasks of each upload in order, one at a time, and those of different uploads in
 * parallel.
 */
export class EventQueue {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `task` after all earlier tasks for the same id, and settles as it does. */
  add(id: string, task: () => Promise<void>): Promise<void> {
    const done = (this.#tails.get(id) ?? Promise.resolve()).then(task)
    const forget = () => {
      if (this.#tails.get(id) === tail) this.#tails.delete(id)
    }
    const tail = done.then(forget, forget)
    this.#tails.set(id, tail)
    return done
  }

  /** Resolves when the tasks that were added for the id so far have run. */
  async passed(id: string): Promise<void> {
    await this.#tails.get(id)
  }

  /** Resolves when nothing is queued any more. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values())
  }
}
