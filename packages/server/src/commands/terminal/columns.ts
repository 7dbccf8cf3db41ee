import { print } from './output.js'

/** Rows whose widths are known before the first one is printed. */
const sample = 100

/** Prints rows in columns. Knows only the first rows, because there may be very many. */
export class Columns {
  readonly #waiting: (readonly string[])[]
  #widths: readonly number[] | undefined

  constructor(headings: readonly string[]) {
    this.#waiting = [headings]
  }

  /** Prints a row, or keeps it until enough are known. */
  async add(row: readonly string[]): Promise<void> {
    if (this.#widths !== undefined) return this.#print(row)
    this.#waiting.push(row)
    if (this.#waiting.length > sample) await this.end()
  }

  /** Prints the rows that wait. */
  async end(): Promise<void> {
    const rows = this.#waiting.splice(0)
    this.#widths ??= rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
    for (const row of rows) await this.#print(row)
  }

  async #print(row: readonly string[]): Promise<void> {
    const cells = row.map((cell, i) => cell.padEnd(i === row.length - 1 ? 0 : this.#widths![i]!))
    await print(cells.join('  ').trimEnd())
  }
}
