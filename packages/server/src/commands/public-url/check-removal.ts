import { failed, ok, warning, type Finding } from '../checks/finding.js'
import { reasonOf } from '../../explain.js'
import { counted } from '../terminal/quantities.js'
import type { Reply } from './client.js'
import { isFromServer, replyText, type Session } from './session.js'

const check = 'DELETE'

/** Removes all uploads of the check. */
export async function* checkRemoval(session: Session): AsyncGenerator<Finding> {
  if (session.made.size === 0) return
  const left: string[] = []
  let refusal: Reply | undefined
  let failure: unknown
  for (const href of session.made) {
    try {
      const url = new URL(href)
      let reply = await session.remove(url)
      if (!isRemoved(reply) && !isFromServer(reply) && !session.overridden.has(check)) {
        refusal ??= reply
        session.overridden.add(check)
        reply = await session.remove(url)
        if (!isRemoved(reply)) session.overridden.delete(check)
      }
      if (isRemoved(reply)) continue
      refusal ??= reply
    } catch (error) {
      failure = error
    }
    left.push(href)
  }
  yield findingOf(session, left, refusal, failure)
}

function isRemoved({ status }: Reply): boolean {
  return (status >= 200 && status < 300) || status === 404 || status === 410
}

function findingOf(
  session: Session,
  left: readonly string[],
  refusal: Reply | undefined,
  failure: unknown,
): Finding {
  const count = counted(session.made.size, 'upload')
  if (left.length === 0 && refusal === undefined) return ok(check, `removed ${count} of this check`)
  const why = refusal === undefined ? reasonOf(failure) : replyText(refusal)
  if (left.length === 0) {
    const advice = 'Allow DELETE on the way, or let clients send POST with X-HTTP-Method-Override.'
    return warning(check, `it does not work: ${why}. Removed ${count} by POST instead`, advice)
  }
  const advice = 'Remove them with tuskit rm, or let them expire.'
  const text = `${left.length} of ${count} of this check are left, because ${why}: ${left.join(' ')}`
  const isOff = refusal !== undefined && isFromServer(refusal) && refusal.status === 405
  return isOff ? warning(check, text, advice) : failed(check, text, advice)
}
