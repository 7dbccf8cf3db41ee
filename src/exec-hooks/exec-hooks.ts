import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ReadOptions } from '../capabilities/call-options.js'
import { checkOptions, must, optionError } from '../check-options.js'
import { TusError } from '../errors.js'
import type { HookBackend, HookCall, HookReply } from '../hook-backend.js'
import {
  formatHookCall,
  hookFormatRules,
  type HookFormatOptions,
} from '../hook-formats/format-hook-call.js'
import { parseHookReply } from '../hook-formats/parse-hook-reply.js'
import { usualEvents } from '../hook-formats/usual-events.js'
import { hookTypes, type HookType } from '../hooks.js'
import { runProgram, type Ended } from './run-program.js'

/** Options of {@link ExecHooks}. */
export interface ExecHooksOptions extends HookFormatOptions {
  /**
   * A folder with programs that are named after events, such as `pre-create`. They run in this
   * folder. Either this or {@link ExecHooksOptions.program} is required.
   */
  readonly directory?: string
  /**
   * One program for all events. Its first argument is the event. It runs in the folder of this
   * process.
   */
  readonly program?: string
  /**
   * The events that are handled.
   * @default those that the directory has a program for; of one program, all but `access`,
   * `pre-finish` and `pre-terminate`
   */
  readonly events?: readonly HookType[]
  /**
   * How a program gets the message: on its standard input, as with tusd, or as its last argument,
   * as with Rustus. Linux limits an argument to 128 KiB, and shows it to all users of the machine.
   * @default 'stdin'
   */
  readonly input?: 'stdin' | 'argument'
  /**
   * Milliseconds after which a program and its children are killed.
   * @default 15_000
   */
  readonly timeout?: number
}

/**
 * Runs a program for each event, as tusd and Rustus do. It gets the message as JSON, and the
 * variables `TUS_ID`, `TUS_SIZE` and `TUS_OFFSET` in addition to those of this process. Its
 * standard error is that of this process.
 *
 * In the form of tusd, its standard output is the reply: JSON, or nothing. When it ends with
 * another code than 0, the hook has failed (`ERR_HOOK_REPLY`), unless the reply rejects. In the
 * forms of Rustus, the code decides: 0 accepts, any other rejects with 400, or is a failure if the
 * event is over.
 *
 * A program that cannot be run is `ERR_HOOK_UNAVAILABLE`, one that takes too long is
 * `ERR_HOOK_TIMEOUT`, one that is killed is `ERR_HOOK_REPLY`. The constructor throws if a program
 * is missing or not executable.
 *
 * @example
 * const handler = createHandler({
 *   basePath: '/files',
 *   composer,
 *   hooks: new ExecHooks({ directory: './hooks' }),
 * })
 */
export class ExecHooks implements HookBackend {
  readonly events: readonly HookType[]
  readonly #options: ExecHooksOptions
  /** The folder in which programs run. */
  readonly #folder: string

  constructor(options: ExecHooksOptions) {
    this.#options = checkOptions<ExecHooksOptions>('ExecHooks', options, {
      directory: must.beText,
      program: must.beText,
      events: must.beListOf(...hookTypes),
      input: must.beOneOf('stdin', 'argument'),
      timeout: must.beMilliseconds,
      ...hookFormatRules,
    })
    const { directory, program, events } = this.#options
    if ((directory === undefined) === (program === undefined)) {
      const expectation = "a path, unless there is a 'program'"
      throw optionError('ExecHooks', 'directory', { expectation }, directory)
    }
    this.#folder = resolve(directory ?? '.')
    this.events = events?.slice() ?? (directory === undefined ? usualEvents : eventsIn(directory))
    for (const path of new Set(this.events.map((type) => this.#pathOf(type)))) {
      if (!isProgram(path)) throw new TypeError(`ExecHooks: ${path} must be an executable file`)
    }
  }

  async call(call: HookCall, { signal }: ReadOptions): Promise<HookReply> {
    const { type } = call.event
    const { program, input = 'stdin', timeout = 15_000, format } = this.#options
    const message = JSON.stringify(formatHookCall(call, this.#options))
    const ended = await runProgram({
      path: this.#pathOf(type),
      parameters: [
        ...(program === undefined ? [] : [type]),
        ...(input === 'argument' ? [message] : []),
      ],
      directory: this.#folder,
      variables: {
        TUS_ID: call.upload?.id ?? '',
        TUS_SIZE: String(call.upload?.length ?? 0),
        TUS_OFFSET: String(call.offset),
      },
      input: input === 'stdin' ? message : '',
      timeout,
      signal,
    })
    return (format ?? 'tusd') === 'tusd' ? tusdReply(type, ended) : rustusReply(type, ended)
  }

  #pathOf(type: HookType): string {
    return resolve(this.#folder, this.#options.program ?? type)
  }
}

/** Returns the events that a folder has programs for. */
function eventsIn(directory: string): readonly HookType[] {
  const names = new Set(readdirSync(directory))
  const events = hookTypes.filter((type) => names.has(type))
  if (events.length > 0) return events
  const expectation = `a folder with a program that is named ${hookTypes.join(', ')}`
  throw optionError('ExecHooks', 'directory', { expectation }, directory)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function tusdReply(type: HookType, ended: Ended): HookReply {
  if (ended.code === 0) return parseHookReply(ended.output, type)
  try {
    const reply = parseHookReply(ended.output, type)
    if (reply.reject || reply.stop) return reply
  } catch {
    // It need not explain a failure in JSON.
  }
  throw failure(type, ended)
}

function rustusReply(type: HookType, ended: Ended): HookReply {
  if (ended.code === 0) return {}
  if (type.startsWith('post-')) throw failure(type, ended)
  return { reject: true }
}

function failure(type: HookType, { code }: Ended): TusError {
  const cause = new Error(`The program for ${type} ended with ${code}`)
  return new TusError('ERR_HOOK_REPLY', { cause })
}
