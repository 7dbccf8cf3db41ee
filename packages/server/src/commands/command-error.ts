/** A failure of a command. Its message says all that an administrator needs. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
