// Asks for an upload with HEAD every so often, over one connection, until it is told to stop; then sends how many
// milliseconds each answer took. A request that is due while another is under way waits for its turn, and that counts.
// Arguments: port, path, milliseconds between two requests.
import http from 'node:http'

const [port, path, every] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const took = []
let open = 0
let stopping = false

function ask() {
  const asked = performance.now()
  open += 1
  http
    .request({
      port,
      path,
      agent,
      host: '127.0.0.1',
      method: 'HEAD',
      headers: { 'Tus-Resumable': '1.0.0' },
    })
    .on('response', (res) => {
      took.push(performance.now() - asked)
      open -= 1
      res.resume()
      if (open === 0 && stopping) leave()
    })
    .on('error', () => leave())
    .end()
}

function leave() {
  process.send(took, () => process.exit())
}

process.on('disconnect', () => process.exit())
ask()
const timer = setInterval(ask, Number(every))
process.on('message', () => {
  stopping = true
  clearInterval(timer)
  if (open === 0) leave()
})
process.send('asking')
