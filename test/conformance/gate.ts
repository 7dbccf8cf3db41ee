/** A place where work waits until the test opens it. */
export interface Gate {
  /** Resolves when somebody is there. */
  readonly reached: Promise<void>
  /** Resolves when the gate is open. */
  readonly pass: () => Promise<void>
  readonly open: () => void
}

export function newGate(): Gate {
  let reach!: () => void
  let open!: () => void
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const opened = new Promise<void>((resolve) => (open = resolve))
  const pass = () => {
    reach()
    return opened
  }
  return { reached, pass, open }
}
