import { fileURLToPath } from 'node:url'
import { runProgram, type Ended, type RunOptions } from '../../../server/test/program.js'
import type { RecordedUpload } from './restore.js'
import { credentials } from '../../services.js'

/** The variables with which the program uses the gateway and the plugin that is tested. */
export const env = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  TUSKIT_PLUGIN: fileURLToPath(new URL('../../.dist/plugin.js', import.meta.url)),
}

/** Runs `tuskit adopt`. */
export function adopt(
  from: RecordedUpload['server'],
  parameters: readonly string[],
  options: Omit<RunOptions, 'env'> = {},
): Promise<Ended> {
  return runProgram(['adopt', '--from', from, ...parameters], { ...options, env })
}
