// Compares SqliteInfoStore with FileInfoStore, after `npm test -w packages/sqlite` has made the
// builds and installed better-sqlite3:
//   node packages/sqlite/test/bench/small-uploads.mjs [directory]
// The servers take turns, in rounds. Prints requests per second (the median of the rounds), and the
// median of the ratios within a round.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const place = process.argv[2] ?? tmpdir()
const [rounds, files, connections] = [5, 3_000, 16]
const cache = fileURLToPath(new URL('../../../../node_modules/.cache/tuskit', import.meta.url))
const home = join(
  cache,
  (await readdir(cache)).find((name) => /^better-sqlite3-\w+$/.test(name)),
)
const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href
const program = fileURLToPath(new URL('server.mjs', import.meta.url))
const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
const body = Buffer.alloc(4_096, 'x')

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

function send(port, method, path, headers, content) {
  return new Promise((resolve, reject) => {
    const options = { port, method, path, agent, headers: { 'tus-resumable': '1.0.0', ...headers } }
    const request = http.request(options, (response) => {
      response.resume()
      response.on('end', () => resolve(response))
    })
    request.on('error', reject)
    request.end(content)
  })
}

/** Makes `files` requests, and returns how many were made in a second. */
async function rate(request) {
  let next = 0
  const start = performance.now()
  const lane = async () => {
    while (next < files) await request(next++)
  }
  await Promise.all(Array.from({ length: connections }, lane))
  return (files / (performance.now() - start)) * 1_000
}

async function measure(given) {
  const directory = await mkdtemp(join(place, 'tuskit-bench-'))
  const argument = JSON.stringify({ directory, ...given })
  const server = spawn(process.execPath, ['--import', preload, program, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = Number((await once(server.stdout, 'data'))[0])
  const paths = []
  const type = { 'content-type': 'application/offset+octet-stream' }
  const create = await rate(async (i) => {
    const headers = { ...type, 'upload-length': body.length, 'upload-metadata': 'name YQ==' }
    const { statusCode, headers: got } = await send(port, 'POST', '/files', headers, body)
    if (statusCode !== 201) throw new Error(`POST: ${statusCode}`)
    paths[i] = got.location
  })
  const head = await rate(async (i) => {
    const { statusCode } = await send(port, 'HEAD', paths[i])
    if (statusCode !== 200) throw new Error(`HEAD: ${statusCode}`)
  })
  server.kill()
  await once(server, 'exit')
  await rm(directory, { recursive: true })
  return { create, head }
}

for (const durability of ['os', 'disk']) {
  const results = { file: [], sqlite: [] }
  for (let round = 0; round < rounds; round++) {
    results.file.push(await measure({ durability }))
    results.sqlite.push(await measure({ durability, home }))
  }
  for (const name of ['create', 'head']) {
    const of = (kind) => Math.round(median(results[kind].map((result) => result[name])))
    const ratios = results.sqlite.map((result, i) => result[name] / results.file[i][name])
    console.log(
      `durability ${durability}, ${name}: ${of('file')}/s in files, ${of('sqlite')}/s in SQLite,`,
      `ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    )
  }
}
agent.destroy()
