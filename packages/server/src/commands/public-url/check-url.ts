import { failed, failedBy, type Finding } from '../checks/finding.js'
import { checkCors } from './check-cors.js'
import { checkCreation } from './check-creation.js'
import { checkDownload } from './check-download.js'
import { checkHeaders } from './check-headers.js'
import { checkInterim } from './check-interim.js'
import { checkMethods } from './check-methods.js'
import { checkRemoval } from './check-removal.js'
import { checkSize } from './check-size.js'
import { checkStreaming } from './check-streaming.js'
import { Session, type UrlCheck } from './session.js'

/**
 * Uploads through a public URL, and names each demand on proxies that is not met. Removes what it
 * has uploaded.
 */
export async function* checkUrl(options: UrlCheck): AsyncGenerator<Finding> {
  const session = new Session(options)
  let url: URL | undefined
  try {
    url = yield* checkCreation(session)
    if (url === undefined) return
    yield* attempted('methods', checkMethods(session, url))
    if (!session.canWrite) return
    yield* attempted('streaming', checkStreaming(session))
    yield* attempted('size', checkSize(session))
    yield* attempted('headers', checkHeaders(session))
    yield* attempted('download', checkDownload(session))
    yield* attempted('cors', checkCors(session, url))
    yield* attempted('interim responses', checkInterim(session))
  } finally {
    yield* checkRemoval(session)
  }

  /** A failure of one check says nothing about the others. */
  async function* attempted(check: string, findings: AsyncIterable<Finding>) {
    try {
      yield* findings
    } catch (error) {
      if (options.signal.aborted) throw error
      yield error instanceof Error ? failedBy(check, error) : failed(check, String(error))
    }
  }
}
