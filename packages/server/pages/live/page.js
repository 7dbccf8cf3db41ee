import { formatTime } from './figures.js'
import { Row } from './row.js'

/** Milliseconds between two looks at the server, and the longest wait for a response. */
const interval = 1000
const patience = 10_000

const list = document.getElementById('uploads')
const errorList = document.getElementById('errors')
const summary = document.getElementById('summary')
const status = document.getElementById('status')

/** The rows in the list, by the ids of their uploads. */
const rows = new Map()

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void look()
})

let looking = false
let timer
void look()

/** Looks at the server, and again after a while. A page that nobody sees does not look. */
async function look() {
  if (looking || document.hidden) return
  clearTimeout(timer)
  looking = true
  try {
    const response = await fetch('uploads.json', { signal: AbortSignal.timeout(patience) })
    if (!response.ok) throw new Error(`The server responded with ${response.status}`)
    show(await response.json())
    announce('')
  } catch {
    announce('The server does not respond. This page keeps trying.')
  }
  looking = false
  timer = setTimeout(() => void look(), interval)
}

/** Screen readers read every change of the element. */
function announce(text) {
  if (status.textContent !== text) status.textContent = text
  document.body.classList.toggle('outdated', text !== '')
}

function show({ uploads, workers, omitted, errors, at }) {
  const ids = new Set(uploads.map(({ id }) => id))
  for (const [id, row] of rows) {
    if (ids.has(id)) continue
    row.element.remove()
    rows.delete(id)
  }
  uploads.forEach((upload, index) => {
    const row = rows.get(upload.id) ?? new Row()
    rows.set(upload.id, row)
    row.show(upload)
    const there = list.children[index]
    if (there !== row.element) list.insertBefore(row.element, there ?? null)
  })
  const active = uploads.filter(({ state }) => state !== 'idle').length
  const more = omitted > 0 ? `, and ${omitted} more that are not shown` : ''
  const served = workers.length === 1 ? '1 worker' : `${workers.length} workers`
  summary.textContent = `${active} active, ${uploads.length - active} idle${more} · ${served}`
  list.hidden = uploads.length === 0
  showErrors(errors, Date.parse(at))
}

function showErrors(errors, now) {
  errorList.parentElement.hidden = errors.length === 0
  errorList.replaceChildren(
    ...errors.map(({ at, method, code, status, uploadId }) => {
      const item = document.createElement('li')
      const subject = uploadId === undefined ? '' : ` · ${uploadId}`
      const ago = formatTime(Math.max(0, now - Date.parse(at)))
      item.textContent = `${code} · ${status} · ${method} · ${ago} ago${subject}`
      return item
    }),
  )
}
