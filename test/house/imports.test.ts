import { posix } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { codeFiles, read } from './source-files.js'

const foundation = [
  ...['base-name', 'check-options', 'checksum-algorithms', 'connection-headers', 'cooperative'],
  ...['error-codes', 'errors', 'http-token', 'logger', 'metadata', 'names-elsewhere'],
  ...['never-aborts', 'parse-base64', 'parse-upload', 'readable-of', 'reset-socket'],
  ...['response-rules', 'safe-file-name', 'stop-options'],
  ...['unless-aborted', 'upload', 'with-timeout'],
]
const contracts = [
  ...foundation,
  ...['capabilities', 'hook-backend', 'hook-outbox', 'hook-request', 'hooks', 'shared-lifecycle'],
  'store-composer',
]
const stores = [
  ...['capabilities', 'check-options', 'cooperative', 'error-codes', 'errors', 'logger'],
  ...['never-aborts', 'parse-upload', 'readable-of', 'reset-socket', 'shared-lifecycle'],
  ...['store-composer', 'unless-aborted', 'upload', 'with-timeout'],
]

/** The imports that each part of `src` may have. A part is a top-level file or a folder. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(foundation.map((part) => [part, foundation])),
  capabilities: ['errors', 'upload'],
  hooks: contracts,
  'hook-request': [],
  'hook-backend': ['capabilities', 'hook-request', 'hooks', 'upload'],
  'hook-outbox': ['capabilities', 'hook-request', 'hooks', 'upload'],
  'shared-lifecycle': ['capabilities', 'errors'],
  'store-composer': contracts,
  lockers: stores,
  'store-kit': [...stores, 'lockers'],
  'memory-store': [...stores, 'lockers', 'store-kit'],
  'file-store': [...stores, 'hook-outbox', 'lockers', 'store-kit'],
  'limited-store': stores,
  conformance: stores,
  features: contracts,
  uploads: [...contracts, 'features'],
  http: contracts,
  'handler-options': [...contracts, 'features', 'http'],
  'hooks-of-backend': contracts,
  'hook-formats': contracts,
  'exec-hooks': [...contracts, 'hook-formats'],
  'http-hooks': [...contracts, 'hook-formats', 'store-kit'],
  migration: contracts,
  'check-hooks': [...contracts, 'handler-options', 'hooks-of-backend'],
  settings: [
    'check-hooks',
    ...contracts,
    'features',
    'handler-options',
    'hooks-of-backend',
    'http',
    'uploads',
  ],
  protocols: [...contracts, 'features', 'http', 'uploads'],
  'create-engine': [
    ...contracts,
    ...['features', 'handler-options', 'hooks-of-backend', 'lockers', 'settings', 'uploads'],
  ],
  'create-uploads': [...contracts, 'uploads'],
  'create-handler': [
    ...contracts,
    ...['create-engine', 'create-uploads', 'handler-options', 'http', 'protocols', 'settings'],
    'uploads',
  ],
  'create-upload-server': ['check-options', 'create-handler', 'http', 'stop-options'],
}

/** The operations on uploads that protocols may call. */
const operations = ['append', 'create', 'create-final', 'inspect', 'read', 'terminate'].map(
  (name) => `src/uploads/${name}.js`,
)

const entries: readonly string[] = Object.values(manifest.tsup.entry)

const imports = codeFiles('src').flatMap((file) =>
  ts
    .preProcessFile(read(file))
    .importedFiles.map(({ fileName: specifier }) => ({ file, specifier })),
)

const relativeImports = imports
  .filter(({ specifier }) => specifier.startsWith('.'))
  .map(({ file, specifier }) => ({ file, target: posix.join(posix.dirname(file), specifier) }))

/** `src/http/cors.js` belongs to `http`, `src/errors.js` to `errors`. */
function partOf(path: string): string {
  return path.split('/')[1]!.replace(/\.[jt]s$/, '')
}

test('src imports node:* and its own files only', () => {
  expect(imports.length).toBeGreaterThan(0)
  expect(imports.filter(({ specifier }) => !/^(node:|\.\.?\/)/.test(specifier))).toEqual([])
  expect(relativeImports.filter(({ target }) => !/^src\/.+\.js$/.test(target))).toEqual([])
})

test('imports run one way: create-handler → protocols → { http, uploads } → capabilities ← stores', () => {
  const wrong = relativeImports.filter(({ file, target }) => {
    const [from, to] = [partOf(file), partOf(target)]
    return file !== 'src/index.ts' && from !== to && !mayImport[from]?.includes(to)
  })
  expect(wrong).toEqual([])
})

test('no file of src imports itself through others', () => {
  const targets = new Map<string, string[]>()
  for (const { file, target } of relativeImports) {
    targets.set(file, [...(targets.get(file) ?? []), target.replace(/\.js$/, '.ts')])
  }
  const finished = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
    if (finished.has(file) || path.includes(file)) return
    for (const target of targets.get(file) ?? []) visit(target, [...path, file])
    finished.add(file)
  }
  for (const file of targets.keys()) visit(file, [])
  expect(circles).toEqual([])
})

test('protocols import only operations and types of uploads', () => {
  const imported = codeFiles('src/protocols').flatMap((file) =>
    [...read(file).matchAll(/^import (?!type )[^']*'([^']*)'/gm)].map(([, specifier]) => ({
      file,
      target: posix.join(posix.dirname(file), specifier!),
    })),
  )
  const ofUploads = imported.filter(({ target }) => target.startsWith('src/uploads/'))
  expect(ofUploads.length).toBeGreaterThan(0)
  expect(ofUploads.filter(({ target }) => !operations.includes(target))).toEqual([])
})

test('only the records of uploads change what a holder knows of its record', () => {
  const callers = codeFiles('src').filter((file) => read(file).includes('.remember('))
  expect(callers.filter((file) => !file.startsWith('src/uploads/record/'))).toEqual([])
})

test('every part of src has its place in the order of imports', () => {
  const parts = new Set(codeFiles('src').map(partOf))
  expect([...parts].filter((part) => part !== 'index' && !(part in mayImport))).toEqual([])
})

test('stores know the composer as a type only', () => {
  const importers = codeFiles(
    ...['src/conformance', 'src/file-store', 'src/lockers', 'src/memory-store', 'src/store-kit'],
  ).filter((file) => /^import (?!type )[^']*'[./]+\/store-composer\.js'/m.test(read(file)))
  expect(importers).toEqual([])
})

test('capabilities and options of the handler are types only', () => {
  const files = [...codeFiles('src/capabilities'), 'src/handler-options.ts']
  const withCode = files.filter((file) => {
    const { outputText } = ts.transpileModule(read(file), {
      compilerOptions: { verbatimModuleSyntax: true, module: ts.ModuleKind.ESNext },
    })
    return outputText.replace(/\/\*[^]*?\*\/|export \{\};/g, '').trim() !== ''
  })
  expect(withCode).toEqual([])
})

test('uploads and stores know no HTTP', () => {
  // The type of a hook's request may pass through.
  const importers = codeFiles(
    ...['src/uploads', 'src/file-store', 'src/limited-store', 'src/memory-store'],
    'src/store-kit',
  ).filter((file) => /^import (?!type )[^']*'node:http[s2]?'/m.test(read(file)))
  expect(importers).toEqual([])
})

test('entries only re-export, and no file imports them', () => {
  expect(codeFiles('src').filter((file) => file.endsWith('/index.ts'))).toEqual(entries.toSorted())
  for (const entry of entries) {
    const { statements } = ts.createSourceFile(entry, read(entry), ts.ScriptTarget.Latest)
    const others = statements.filter((s) => !ts.isExportDeclaration(s) || !s.moduleSpecifier)
    expect(others, entry).toEqual([])
  }
  expect(relativeImports.filter(({ target }) => target.endsWith('/index.js'))).toEqual([])
})
