// Sends HEAD for an upload at regular intervals, over one connection, until its parent sends a
// message. It then reports how many milliseconds each response took. A request that is due during
// another one waits, and its waiting counts. Arguments: port, path, milliseconds between two
// requests.
import http from 'node:http'

const [port, path, every] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const took = []
let open = 0
let stopping = false

function ask() {
  const due = performance.now()
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
      took.push(performance.now() - due)
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
