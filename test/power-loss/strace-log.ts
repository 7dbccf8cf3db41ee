/** One system call in a log of `strace -f -yy`. */
export interface Call {
  readonly name: string
  /** The arguments, as strace writes them. */
  readonly text: string
  /** The return value. */
  readonly result: number
  /** The lines of the log in which it begins and ends. */
  readonly begins: number
  readonly ends: number
}

/**
 * Returns the calls of a log that ended, in the order in which they ended. Calls of different
 * threads overlap.
 */
export function parseLog(log: string): Call[] {
  const unfinished = new Map<string, { text: string; begins: number }>()
  const calls: Call[] = []
  for (const [line, whole] of log.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(whole) ?? []
    const begun = /^(\w+\(.*?),? *<unfinished \.\.\.>$/.exec(rest)
    if (begun !== null) {
      unfinished.set(thread, { text: begun[1]!, begins: line })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const before = resumed === null ? undefined : unfinished.get(thread)
    const text = before === undefined ? rest : before.text + resumed![1]!
    const [, name, argumentsText = '', result] =
      /^(\w+)\((.*)\)\s+= (-?\d+)(?:<.*>)?(?: .*)?$/.exec(text) ?? []
    if (name === undefined) continue
    const begins = before?.begins ?? line
    calls.push({ name, text: argumentsText, result: Number(result), begins, ends: line })
  }
  return calls
}

/** Returns the target of the descriptor in the first argument: a path, or `TCP:[…]`. */
export function targetOf({ text }: Call): string | undefined {
  return /^(?:\d+|AT_FDCWD)<(TCP:\[[^\]]*\]|[^>]*)>/.exec(text)?.[1]
}

/** Returns the texts among the arguments. Throws when strace cut one off. */
export function textsOf({ name, text }: Call): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"(\.\.\.)?/g)].map(([, quoted = '', cut]) => {
    if (cut !== undefined) throw new Error(`strace cut off an argument of ${name}: ${quoted}`)
    return unquoted(quoted)
  })
}

/** Returns the last argument, as a number. */
export function lastNumberOf({ text }: Call): number {
  return Number(/(\d+)$/.exec(text)?.[1])
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' }

function unquoted(text: string): string {
  return text.replace(/\\(?:([0-7]{1,3})|(.))/g, (_, octal?: string, letter = '') =>
    octal === undefined ? (escapes[letter] ?? letter) : String.fromCharCode(parseInt(octal, 8)),
  )
}
