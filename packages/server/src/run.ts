import { Command, CommanderError, Option } from 'commander'
import { commands } from './commands/commands.js'
import type { CommandDefinition } from './commands/command.js'
import { explained } from './explain.js'
import { hidePasswords } from './hide-passwords.js'
import { createLogger } from './log.js'
import { didYouMean } from './settings/nearest.js'
import { readSettings } from './settings/read-settings.js'
import { SettingError } from './settings/setting-error.js'
import {
  descriptionOf,
  headings,
  namesIn,
  settingOf,
  variableOf,
  type SettingName,
} from './settings/settings.js'
import { printable } from './commands/terminal/printable.js'
import { stopSignal } from './stop-signal.js'
import { version } from './version.js'

type Variables = Readonly<Record<string, string | undefined>>

/** Runs the program. Sets the exit code: 1 for a failure, 2 for a mistake in the configuration. */
export async function run(parameters: readonly string[], variables: Variables): Promise<void> {
  try {
    checkCommand(parameters)
    await createProgram(variables).parseAsync(parameters, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else if (error instanceof SettingError) {
      process.stderr.write(`tuskit: ${hidePasswords(error.message)}\n`)
      process.exitCode = 2
    } else {
      process.stderr.write(`tuskit: ${printable(explained(error))}\n`)
      process.exitCode = 1
    }
  }
}

/** Returns the program, with a flag for each setting that a command takes. */
export function createProgram(variables: Variables): Command {
  const program = new Command('tuskit')
    .description('A server for resumable uploads: tus 1.0.0 and the IETF draft')
    .version(version)
    .exitOverride()
  for (const definition of commands)
    program.addCommand(createCommand(definition, variables), {
      isDefault: definition.name === 'serve',
    })
  return program
}

function createCommand(definition: CommandDefinition, variables: Variables): Command {
  const { name, description, parameters, flags = [], groups } = definition
  const command = new Command(name).description(description).exitOverride()
  if (parameters !== undefined) command.argument(parameters)
  for (const [flag, text] of flags) command.option(flag, text)
  command.option('--config <file>', 'A file in YAML with settings (TUSKIT_CONFIG).')
  const settingFlags = groups.flatMap((group) =>
    namesIn(group).flatMap((setting) => optionsOf(setting, `${headings[group]}:`)),
  )
  for (const option of settingFlags) command.addOption(option)
  return command.action(async () => {
    const given = command.opts<Record<string, string | boolean>>()
    const settings = readSettings({
      flags: Object.fromEntries(
        settingFlags.flatMap((option) => {
          const value = given[option.attributeName()]
          return value === undefined ? [] : [[option.long!.slice(2), String(value)]]
        }),
      ),
      variables,
      config: (given['config'] as string | undefined) ?? variables['TUSKIT_CONFIG'],
      defaults: definition.defaults?.(command.args),
    })
    await definition.run({
      settings,
      logger: createLogger(settings),
      flags: given,
      parameters: command.args,
      signal: stopSignal(),
    })
  })
}

/** Returns the flags of a setting. A list takes several; a secret may come from a file. */
function optionsOf(name: SettingName, heading: string): Option[] {
  const { type, default: usual, isSecret } = settingOf(name)
  const notes = [variableOf(name), ...(usual === undefined ? [] : [`default: ${usual}`])]
  const text = `${descriptionOf(name)} (${notes.join('; ')})`
  const value = type.placeholder === '' ? '' : ` <${type.placeholder}>`
  const option = new Option(`--${name}${value}`, text).helpGroup(heading)
  if (type.isList) {
    option.argParser((given: string, earlier: string | undefined) =>
      earlier === undefined ? given : `${earlier},${given}`,
    )
  }
  if (!isSecret) return [option]
  const file = new Option(`--${name}-file <file>`, `A file that contains --${name}.`).helpGroup(
    heading,
  )
  return [option, file]
}

/** Refuses a word in the place of a command, which the default command would call too many. */
function checkCommand([first = '-']: readonly string[]): void {
  const names = [...commands.map(({ name }) => name), 'help']
  if (first.startsWith('-') || names.includes(first)) return
  throw new SettingError(`There is no command ${first}.${didYouMean(first, names)}`)
}
