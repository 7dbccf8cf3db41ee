import { SettingError } from './setting-error.js'
import { memberOf, type Settings } from './settings.js'

/** Settings that mean nothing without another one. */
const dependent: readonly (readonly [setting: string, ...needs: string[]])[] = [
  ['hooks-http-secret', 'hooks-http'],
  ['hooks-http-forward-headers', 'hooks-http'],
  ['cors-allow-headers', 'cors'],
  ['cors-expose-headers', 'cors'],
  ['hooks-events', 'hooks-dir', 'hooks-program', 'hooks-http', 'hooks-url'],
  ['hooks-outbox', 'hooks-dir', 'hooks-program', 'hooks-http', 'hooks-url'],
]

/** Throws a {@link SettingError} if settings contradict each other, or would have no effect. */
export function checkAgreement(settings: Settings): void {
  for (const [name, ...needs] of dependent) {
    if (settings[memberOf(name)] === undefined) continue
    if (needs.some((other) => settings[memberOf(other)] !== undefined)) continue
    throw new SettingError(`--${name} needs ${needs.map((other) => `--${other}`).join(' or ')}.`)
  }
  const { basePath, cors, corsCredentials, page, workers } = settings
  if (corsCredentials && (cors === undefined || cors.includes('*'))) {
    throw new SettingError('--cors-credentials needs origins in --cors, not *.')
  }
  if (page && /^\/*$/.test(basePath)) {
    throw new SettingError('--page needs a --base-path other than /, where the page is.')
  }
  if (workers > 1) checkShared(settings)
}

/** Refuses what only one process can use. */
function checkShared(settings: Settings): void {
  const { data, info, locks, hooksOutbox, hooksDir, hooksProgram, hooksHttp, hooksUrl } = settings
  for (const [name, url] of Object.entries({ data, info, locks })) {
    if (!url?.startsWith('memory:')) continue
    throw new SettingError(`--workers needs --${name} that all processes share, not ${url}`)
  }
  if ((hooksDir ?? hooksProgram ?? hooksHttp ?? hooksUrl) === undefined) return
  if (hooksOutbox !== undefined) return
  throw new SettingError(
    '--workers with hooks needs --hooks-outbox, which keeps the events of an upload in order.',
  )
}
