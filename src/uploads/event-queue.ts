/** Runs the tasks of each upload in order, one at a time; those of different uploads side by side. */
export class EventQueue {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `task` after those that were added for the same id before. Tasks must not reject. */
  add(id: string, task: () => Promise<void>): Promise<void> {
    const tail = (this.#tails.get(id) ?? Promise.resolve()).then(task).finally(() => {
      if (this.#tails.get(id) === tail) this.#tails.delete(id)
    })
    this.#tails.set(id, tail)
    return tail
  }

  /** Resolves when nothing is queued any more. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values())
  }
}
