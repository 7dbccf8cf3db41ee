import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ensureProgram } from '../../house/debian-packages.mjs'
import { kept } from '../../house/kept.js'
import { temporaryDirectory } from '../../support/serve.js'

const run = promisify(execFile)

/** A program that uploads a file, and the beginning of its command line. */
export interface ClientProgram {
  readonly command: readonly [string, ...string[]]
  readonly env?: NodeJS.ProcessEnv
}

/**
 * Prepares a script in `python`. Its libraries come from PyPI once, and are compared with the
 * hashes in `requirements.txt`.
 */
export async function pythonClient(script: string): Promise<ClientProgram> {
  ensureProgram('python3')
  const requirements = pathOf('python/requirements.txt')
  const { stdout: version } = await run('python3', ['--version'])
  const contents = version + (await readFile(requirements, 'utf8'))
  const libraries = await kept('python-clients', contents, async (folder) => {
    ensureProgram('pip3', 'python3-pip')
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    const exactly = ['--require-hashes', '--only-binary=:all:', '--requirement', requirements]
    await run('python3', [...pip, ...exactly, '--target', folder])
  })
  return { command: ['python3', pathOf(`python/${script}`)], env: { PYTHONPATH: libraries } }
}

const library = 'io.tus.java.client:tus-java-client:0.5.1'
const libraryHash = '196ce59aac4cca7395aca493e1740ba121ef9696232911086ac205a30948e7bb'

/** Compiles the class `Upload` in `java`. Its library comes from Maven Central once. */
export async function javaClient(): Promise<ClientProgram> {
  ensureProgram('javac', 'default-jdk-headless')
  const libraries = await kept('java-clients', `${library} ${libraryHash}`, async (folder) => {
    ensureProgram('mvn', 'maven')
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
    const maven = ['--batch-mode', '--quiet', copy, `-Dartifact=${library}`]
    await run('mvn', [...maven, `-DoutputDirectory=${folder}`, '-Dmdep.stripVersion=true'])
    const bytes = await readFile(join(folder, 'tus-java-client.jar'))
    const hash = createHash('sha256').update(bytes).digest('hex')
    if (hash !== libraryHash) throw new Error(`${library} has the SHA-256 ${hash}`)
  })
  const jar = join(libraries, 'tus-java-client.jar')
  const classes = await temporaryDirectory()
  await run('javac', ['-classpath', jar, '-d', classes, pathOf('java/Upload.java')])
  return { command: ['java', '-classpath', [jar, classes].join(delimiter), 'Upload'] }
}

/** Compiles the program in `go`, which needs only Go's own libraries. */
export async function goClient(): Promise<ClientProgram> {
  ensureProgram('go', 'golang-go')
  const { stdout: version } = await run('go', ['version'])
  const contents = version + (await readFile(pathOf('go/main.go'), 'utf8'))
  const home = await kept('go-client', contents, (folder) =>
    run('go', ['build', '-buildvcs=false', '-o', join(folder, 'upload')], {
      cwd: pathOf('go'),
      // Needs no C compiler, no other release of Go, and no network.
      env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOPROXY: 'off' },
    }),
  )
  return { command: [join(home, 'upload')] }
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
