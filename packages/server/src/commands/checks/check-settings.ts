import type { CommandCall } from '../command.js'
import { checkAddress } from './check-address.js'
import { checkCertificate } from './check-certificate.js'
import { checkHooks } from './check-hooks.js'
import { checkOptions } from './check-options.js'
import { checkOutbox } from './check-outbox.js'
import { checkProxies } from './check-proxies.js'
import { checkSpace } from './check-space.js'
import { checkStores } from './check-stores.js'
import { failedBy, type Finding } from './finding.js'

/** Tries everything that the settings name. Leaves nothing behind. */
export async function* checkSettings(call: CommandCall): AsyncGenerator<Finding> {
  const parts = [checkStores, checkSpace, checkOptions, checkHooks, checkOutbox]
  const seen = new Set<string>()
  for (const part of [...parts, checkCertificate, checkAddress, checkProxies]) {
    if (call.signal.aborted) return
    const found: string[] = []
    for await (const finding of orFailed(part(call))) {
      // Several parts may find the same mistake.
      if (finding.outcome !== 'failed' || !seen.has(finding.text)) yield finding
      found.push(finding.text)
    }
    for (const text of found) seen.add(text)
  }
}

/** Makes the last finding of an error, so that the other checks follow. */
async function* orFailed(findings: AsyncIterable<Finding>): AsyncGenerator<Finding> {
  try {
    yield* findings
  } catch (error) {
    yield failedBy('settings', error)
  }
}
