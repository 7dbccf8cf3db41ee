import { duration, text, yesOrNo } from '../settings/value-types.js'
import { checkSettings } from './checks/check-settings.js'
import { findingLine, type Finding } from './checks/finding.js'
import type { CommandCall, CommandDefinition } from './command.js'
import { flagValue } from './flag-value.js'
import { checkUrl } from './public-url/check-url.js'
import { parseTarget } from './public-url/parse-target.js'
import { print } from './terminal/output.js'

/** Tries the configuration, or the way through the proxies to a running server. */
export const check: CommandDefinition = {
  name: 'check',
  description:
    'Try the configuration, and say what is wrong. With --url, try what is in front of a running server.',
  flags: [
    ['--url <URL>', 'The public URL of the uploads, such as https://uploads.example.org/files/.'],
    ['--duration <time>', 'How long the slow upload to --url takes (default: 20s).'],
    ['--header <header>', "A header for --url, such as 'Authorization: Bearer …'."],
    ['--json', 'Print an object per line.'],
  ],
  groups: ['storage', 'uploads', 'listening', 'hooks', 'operation'],
  async run(call) {
    const json = flagValue(call, 'json', yesOrNo)
    const counts = { ok: 0, warning: 0, failed: 0 }
    for await (const finding of findingsOf(call)) {
      counts[finding.outcome]++
      await print(json ? JSON.stringify(finding) : findingLine(finding))
    }
    call.signal.throwIfAborted()
    if (!json) await print(`${counts.ok} ok, ${counts.warning} warning, ${counts.failed} failed`)
    // A service that does not respond must not keep the program running.
    process.exit(counts.failed > 0 ? 1 : process.exitCode)
  },
}

function findingsOf(call: CommandCall): AsyncIterable<Finding> {
  const url = flagValue(call, 'url', text('URL'))
  const time = flagValue(call, 'duration', duration)
  const header = flagValue(call, 'header', text('header'))
  if (url === undefined) return checkSettings(call)
  return checkUrl({
    ...parseTarget(url, header),
    duration: time ?? 20_000,
    origin: call.settings.cors?.find((origin) => origin !== '*'),
    signal: call.signal,
  })
}
