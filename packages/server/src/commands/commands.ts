import type { CommandDefinition } from './command.js'
import { serve } from './serve.js'

/** All commands, in the order of the help. */
export const commands: readonly CommandDefinition[] = [serve]
