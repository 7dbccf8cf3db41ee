import { inspect } from 'node:util'
import { isTusError } from 'tuskit'
import { CommandError } from './commands/command-error.js'
import { hidePasswords } from './hide-passwords.js'

/**
 * Returns the reason of a failure for an administrator, with those of its causes. A sentence that
 * is meant for clients is left out when there is a cause.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof CommandError) return error.message
  const chain = chainOf(error)
  const texts = chain
    .filter((one, i) => i === chain.length - 1 || !isTusError(one))
    .flatMap(({ message, errors }: Error & { errors?: unknown }) =>
      // Node joins several failed connections in one error, which has no message.
      message === '' && Array.isArray(errors) ? errors.map(reasonOf).slice(0, 1) : [message],
    )
  // Some errors repeat the sentence of their cause.
  const different = texts.filter((one, i) => !texts.slice(0, i).some((text) => text.includes(one)))
  return hidePasswords(different.join(': '))
}

/** Returns the code of a failure or of one of its causes that says most: that of the system. */
export function codeOf(error: unknown): string | undefined {
  return chainOf(error)
    .flatMap((one) => [one, ...((one as { errors?: readonly Error[] }).errors ?? [])])
    .map((one) => (one as NodeJS.ErrnoException).code)
    .findLast((code) => typeof code === 'string')
}

function chainOf(error: unknown): readonly Error[] {
  const chain: Error[] = []
  for (let one = error; one !== undefined && chain.length < 10; one = (one as Error).cause) {
    chain.push(one instanceof Error ? one : new Error(inspect(one)))
  }
  return chain
}

const wrongPassword = 'Correct the user or the password, in the URL or in the environment.'
const wrongDatabase = 'Create the database and give the user its rights, or correct its name.'
const missingRight = 'Let an administrator give the user the rights that it needs.'

const advice: Readonly<Record<string, string>> = {
  EACCES: 'Give the user that runs tuskit the right to use it, or run tuskit as another user.',
  EPERM: 'Give the user that runs tuskit the right to use it, or run tuskit as another user.',
  EROFS: 'The file system is mounted read-only. Mount it for writing, or choose another place.',
  ENOENT: 'Create it, or correct the path.',
  ENOTDIR: 'A part of the path is a file. Correct the path.',
  ENOSPC: 'Make space on the disk, or choose another place.',
  EDQUOT: 'The user has used up its quota. Raise it, or choose another place.',
  ERR_STORAGE_FULL: 'Make space in the storage, or choose another one.',
  ECONNREFUSED: 'Nothing listens there. Start the service, or correct host and port.',
  ENOTFOUND: 'The name of the host is not known. Correct it, or the DNS.',
  EAI_AGAIN: 'The name of the host cannot be resolved. Correct it, or the DNS.',
  ETIMEDOUT: 'Nothing responds there. Look at firewalls, and at host and port.',
  EHOSTUNREACH: 'The host cannot be reached. Look at firewalls and routes.',
  ECONNRESET: 'The connection was cut. Look at the log of the service.',
  // PostgreSQL and MySQL: the user or the password, the database, the rights.
  '28P01': wrongPassword,
  ER_ACCESS_DENIED_ERROR: wrongPassword,
  '3D000': wrongDatabase,
  ER_BAD_DB_ERROR: wrongDatabase,
  ER_DBACCESS_DENIED_ERROR: wrongDatabase,
  '42501': missingRight,
  ER_TABLEACCESS_DENIED_ERROR: missingRight,
  ERR_HOOK_TIMEOUT: 'Make the hook faster, or raise --hooks-timeout.',
  ERR_HOOK_REPLY: 'Look at the log of the hook.',
  ERR_HOOK_UNAVAILABLE: 'Start the hook, or correct its address.',
}

/** Returns advice on a failure, if there is any. */
export function adviceOn(error: unknown): string | undefined {
  return advice[codeOf(error) ?? '']
}

/** Returns the reason of a failure as a sentence, with advice if there is any. */
export function explained(error: unknown): string {
  if ((error as Error | null)?.name === 'AbortError') return 'Stopped.'
  const reason = reasonOf(error)
  const sentence = /[.!?]$/.test(reason) ? reason : `${reason}.`
  return [sentence, adviceOn(error)].filter(Boolean).join(' ')
}
