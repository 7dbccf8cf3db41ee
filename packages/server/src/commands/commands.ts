import { adopt } from './adopt.js'
import { check } from './check.js'
import type { CommandDefinition } from './command.js'
import { inspect } from './inspect.js'
import { ls } from './ls.js'
import { migrate } from './migrate.js'
import { rm } from './rm.js'
import { serve } from './serve.js'
import { sweep } from './sweep.js'

/** All commands, in the order of the help. */
export const commands: readonly CommandDefinition[] = [
  serve,
  check,
  ls,
  inspect,
  rm,
  sweep,
  migrate,
  adopt,
]
