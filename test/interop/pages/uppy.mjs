// The page of a test: sends the chosen file with Uppy, and shows the URL or the error.
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'

const uppy = new Uppy().use(Tus, {
  endpoint: new URL('/files/', location.href).href,
  chunkSize: 1_000_000,
})
const [input, output] = ['input', 'output'].map((name) => document.querySelector(name))

input.addEventListener('change', async () => {
  const [data] = input.files
  uppy.addFile({ name: data.name, type: data.type, data })
  const { successful, failed } = await uppy.upload()
  output.textContent = successful[0]?.uploadURL ?? `failed: ${failed[0]?.error}`
})
