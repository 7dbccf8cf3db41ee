import { failed, ok, warning, type Finding } from '../checks/finding.js'
import { replyText, type Session } from './session.js'

const text = Buffer.from('This text compresses well.\n'.repeat(4_000))
const [start, end] = [1_000, 1_999]

/** Downloads an upload as a whole and in part, and compares the bytes. */
export async function* checkDownload(session: Session): AsyncGenerator<Finding> {
  const metadata = ['filename', 'check.txt', 'filetype', 'text/plain']
    .map((word, i) => (i % 2 === 0 ? word : Buffer.from(word).toString('base64')))
    .join(' ')
    .replace(/ filetype/, ',filetype')
  const made = await session.create({
    'upload-length': text.length,
    'upload-metadata': metadata,
  })
  if (!('url' in made)) throw new Error(`no upload for it: ${replyText(made)}`)
  const stored = await session.patch(made.url, 0, text)
  if (stored.status !== 204) throw new Error(`no upload for it: ${replyText(stored)}`)
  const accept = { 'accept-encoding': 'gzip, deflate, br, zstd' }
  const whole = await session.send('GET', made.url, accept)
  if (whole.status === 405 || whole.status === 404) {
    yield ok('download', 'downloads are off')
    return
  }
  if (whole.status !== 200) {
    yield warning('download', `the upload cannot be downloaded: ${replyText(whole)}`)
    return
  }
  const encoding = whole.headers['content-encoding']
  const off =
    'Switch compression off for this path, such as gzip off in nginx or SetEnv no-gzip 1 in Apache.'
  if (encoding !== undefined)
    yield failed('compression', `downloads are compressed: ${encoding}`, off)
  else if (!whole.body.equals(text)) {
    yield failed('download', 'a download has other bytes than the upload', off)
  } else yield ok('download', 'the bytes are those of the upload')

  const part = await session.send('GET', made.url, { ...accept, range: `bytes=${start}-${end}` })
  const expected = text.subarray(start, end + 1)
  const range = `bytes ${start}-${end}/${text.length}`
  if (part.status === 200) {
    const advice = 'Let Range and Accept-Ranges pass, and compress nothing.'
    yield failed('ranges', 'a part cannot be requested: the whole upload came', advice)
  } else if (part.status !== 206) yield failed('ranges', `a part: ${replyText(part)}`)
  else if (!part.body.equals(expected) || part.headers['content-range'] !== range) {
    yield failed('ranges', 'a part has other bytes than the upload', off)
  } else yield ok('ranges', 'a part has the bytes of the upload')
}
