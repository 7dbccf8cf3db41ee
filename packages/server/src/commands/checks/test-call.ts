import type { DataStore, HookCall, HookReply, HookType, Upload } from 'tuskit'
import type { Settings } from '../../settings/settings.js'
import { printable } from '../terminal/printable.js'
import { version } from '../../version.js'
import { testUpload } from './test-upload.js'

const length = 11

/** Returns an event for a trial. Its id, and that of its upload, begin with `check-`. */
export function testCall(
  type: HookType,
  { basePath }: Pick<Settings, 'basePath'>,
  store: Pick<DataStore, 'locate'> | undefined,
): HookCall {
  const unplaced = testUpload(length)
  const { id } = unplaced
  const storage = store?.locate(unplaced) ?? { kind: 'check', at: {} }
  const upload = { ...unplaced, storage, state: stateAt(type) }
  const isWhole = ['post-receive', 'pre-finish', 'post-finish'].includes(type)
  return {
    event: { type, id: `${id}/${type}` },
    upload: type === 'pre-create' ? unplaced : upload,
    offset: isWhole ? length : 0,
    ...(type === 'access' && { action: 'inspect' as const }),
    request: {
      method: type === 'pre-create' || type === 'post-create' ? 'POST' : 'HEAD',
      target: `${basePath.replace(/\/$/, '')}/${id}`,
      headers: { host: ['localhost'], 'user-agent': [`tuskit-check/${version}`] },
      remoteAddress: '127.0.0.1',
      remotePort: 1,
    },
  }
}

function stateAt(type: HookType): Upload['state'] {
  const at = new Date().toISOString()
  if (type === 'post-finish') return { kind: 'finished', at }
  if (type === 'post-terminate') return { kind: 'gone', at, cause: 'terminated' }
  return { kind: 'open' }
}

/** Returns a sentence about a decision. A rejection shows that the hook works, too. */
export function textOfReply({ reject, stop, ...others }: HookReply): string {
  const choices = Object.keys(others)
  const chosen = choices.length === 0 ? '' : `, with ${choices.join(', ')},`
  if (reject) return `reached: it rejected the test${responseText(reject)}${chosen}`
  if (stop) return `reached: it stopped the test${responseText(stop)}${chosen}`
  return `reached: it accepted the test${chosen}`
}

function responseText(response: unknown): string {
  if (typeof response !== 'object' || response === null) return ''
  const { status, body } = response as { status?: number; body?: string }
  const parts = [status, body && `'${printable(body.trim().slice(0, 80))}'`].filter(Boolean)
  return parts.length === 0 ? '' : ` (${parts.join(' ')})`
}
