import { Row } from './row.js'

const { Upload, defaultOptions } = window.tus

const endpoint = new URL(document.body.dataset.endpoint, location.href).href
const input = document.getElementById('files')
const list = document.getElementById('uploads')

/** The uploads in the list, in its order. */
let rows = []

input.addEventListener('change', () => {
  for (const file of input.files) void add(file)
  // Allows the same file to be chosen again.
  input.value = ''
})

addEventListener('dragover', (event) => {
  event.preventDefault()
  document.body.classList.add('dragging')
})
addEventListener('dragleave', ({ relatedTarget }) => {
  if (relatedTarget === null) document.body.classList.remove('dragging')
})
addEventListener('drop', (event) => {
  event.preventDefault()
  document.body.classList.remove('dragging')
  for (const item of event.dataTransfer.items) {
    // A folder also calls itself a file.
    if (item.kind === 'file' && !item.webkitGetAsEntry()?.isDirectory) void add(item.getAsFile())
  }
})

addEventListener('online', () => {
  for (const row of rows) if (row.state === 'failed') row.resume()
})

setInterval(() => {
  for (const row of rows) if (row.state === 'uploading') row.refresh()
}, 1000)

for (const unfinished of await defaultOptions.urlStorage.findAllUploads()) {
  if (unfinished.uploadUrl?.startsWith(endpoint)) void recall(unfinished)
}

/** Uploads a file. Continues where an earlier visit left it, if there was one. */
async function add(file) {
  const { name, size } = file
  const metadata = { filename: name, ...(file.type && { filetype: file.type }) }
  const upload = new Upload(file, {
    endpoint,
    metadata,
    retryDelays: [0, 1000, 2000, 4000, 8000, 15_000, 30_000],
    removeFingerprintOnSuccess: true,
  })
  const [previous] = await upload.findPreviousUploads()
  const known = previous && rows.find(({ url }) => url === previous.uploadUrl)
  if (known?.live) {
    if (known.state === 'paused') known.resume()
    return known.focus()
  }
  if (previous !== undefined) upload.resumeFromPreviousUpload(previous)
  const row = known ?? append({ name, size, url: previous?.uploadUrl })
  Object.assign(upload.options, row.callbacks)
  row.run(upload)
}

/** Shows an upload from an earlier visit. The browser no longer has its file. */
async function recall({ metadata, size, uploadUrl, urlStorageKey }) {
  const headers = { 'Tus-Resumable': '1.0.0' }
  const response = await fetch(uploadUrl, { method: 'HEAD', headers }).catch(() => undefined)
  const offset = Number(response?.headers.get('Upload-Offset') ?? 0)
  // The file may have been chosen meanwhile.
  if (rows.some(({ url }) => url === uploadUrl)) return
  const gone = response?.status === 404 || response?.status === 410
  if (gone || offset === size) void defaultOptions.urlStorage.removeUpload(urlStorageKey)
  if (gone) return
  const row = append({ name: metadata.filename, size, url: uploadUrl, urlStorageKey })
  if (offset === size) row.finish()
  else row.progress(offset)
}

function append({ urlStorageKey, ...upload }) {
  const row = new Row(upload, {
    onToggle: () => input.click(),
    onRemove() {
      if (urlStorageKey !== undefined) void defaultOptions.urlStorage.removeUpload(urlStorageKey)
      const hadFocus = row.element.contains(document.activeElement)
      const at = rows.indexOf(row)
      rows = rows.filter((other) => other !== row)
      row.element.remove()
      list.parentElement.hidden = rows.length === 0
      if (!hadFocus) return
      const neighbour = rows[at] ?? rows.at(-1)
      if (neighbour === undefined) input.focus()
      else neighbour.focus()
    },
  })
  rows.push(row)
  list.append(row.element)
  list.parentElement.hidden = false
  return row
}
