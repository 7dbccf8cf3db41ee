/**
 * A program for `node -e`, for tests in another network. Uploads five bytes to the URL that is its
 * argument, and prints the URL of the upload.
 */
export const uploadProgram = `
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '5',
    'Content-Type': 'application/offset+octet-stream',
  }
  fetch(process.argv[1], { method: 'POST', headers, body: 'hello' }).then((response) => {
    if (response.status !== 201) throw new Error('The status is ' + response.status)
    console.log(new URL(response.headers.get('location'), response.url).href)
  })`

/** A program for `node -e` that prints the offset of the upload whose URL is its argument. */
export const offsetProgram = `
  const headers = { 'Tus-Resumable': '1.0.0' }
  fetch(process.argv[1], { method: 'HEAD', headers }).then((response) => {
    console.log(response.headers.get('upload-offset'))
  })`
