import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import manifest from '../../packages/server/package.json' with { type: 'json' }
import { runProgram } from '../../packages/server/test/program.js'
import { read, root } from '../house/source-files.js'
import { temporaryDirectory } from '../support/serve.js'
import { complaintsAbout, helmProgram, type KubernetesObject } from './kubernetes-tools.js'

// There is no cluster here: this compares texts with schemas and with each other.

const run = promisify(execFile)

const chart = join(root, 'examples/deploy/helm')

interface ConfigMap extends KubernetesObject {
  readonly data: { readonly 'tuskit.yaml': string }
}

interface Annotated extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { annotations?: Record<string, string> }
}

interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly template: {
      readonly metadata: { annotations?: Record<string, string> }
      readonly spec: {
        readonly enableServiceLinks: boolean
        readonly containers: readonly { readonly args: readonly string[] }[]
      }
    }
  }
}

let helm: string

beforeAll(async () => {
  helm = await helmProgram()
})

function objectsIn(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject)
    .toSorted((one, other) => one.kind.localeCompare(other.kind))
}

/** Runs a command of Helm on the chart. Its files are in a folder of the test. */
async function runHelm(command: readonly string[], values: object = {}): Promise<string> {
  const home = await temporaryDirectory()
  const file = join(home, 'values.yaml')
  await writeFile(file, stringify(values))
  const env = { PATH: process.env['PATH'], HOME: home }
  return (await run(helm, [...command, chart, '--values', file], { env })).stdout
}

/** Returns the objects that the chart makes. */
async function rendered(values: object, release = 'tuskit'): Promise<KubernetesObject[]> {
  return objectsIn(await runHelm(['template', release], values))
}

const plain = (...names: readonly string[]) =>
  objectsIn(names.map((name) => read(`examples/deploy/kubernetes/${name}.yaml`)).join('\n---\n'))

function find<Shape extends KubernetesObject>(objects: readonly KubernetesObject[], kind: string) {
  return objects.find((object) => object.kind === kind) as Shape
}

/** All values, different from their defaults. */
const values = {
  image: { repository: 'acme/uploads', tag: '9.9.9', pullPolicy: 'Always' },
  imagePullSecrets: [{ name: 'acme-registry' }],
  settings: { data: 'file:/data/acme', host: '::', admin: '0.0.0.0:1081', 'max-size': '7GiB' },
  env: [{ name: 'TUSKIT_LIMIT', value: '70GB' }],
  persistence: { existingClaim: '', storageClass: 'acme-fast', size: '77Gi' },
  service: { type: 'NodePort', port: 8081 },
  ingress: {
    enabled: true,
    className: 'acme-class',
    host: '*.acme.example.org',
    path: '/acme',
    tlsSecret: 'acme-tls',
    annotations: { 'acme.example.org/note': 'acme-note' },
  },
  terminationGracePeriodSeconds: 77,
  resources: { limits: { memory: '777Mi' } },
  podAnnotations: { 'acme.example.org/scrape': 'acme-scrape' },
  nodeSelector: { 'acme.example.org/disk': 'acme-ssd' },
  tolerations: [{ key: 'acme-key', operator: 'Exists', effect: 'NoSchedule' }],
}

test('the chart and the plain files make the same', async () => {
  const fromChart = await rendered({ ingress: { enabled: true } })
  const files = plain('tuskit', 'ingress')
  // Only a chart can compute this one.
  const { metadata } = find<Deployment>(fromChart, 'Deployment').spec.template
  expect(Object.keys(metadata.annotations!)).toEqual(['checksum/settings'])
  delete metadata.annotations
  const settingsOf = (objects: readonly KubernetesObject[]) =>
    parse(find<ConfigMap>(objects, 'ConfigMap').data['tuskit.yaml']) as object
  expect(settingsOf(fromChart)).toEqual(settingsOf(files))
  const claim = find<Annotated>(fromChart, 'PersistentVolumeClaim').metadata
  expect(claim.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
  delete claim.annotations
  const others = (objects: readonly KubernetesObject[]) =>
    objects.filter(({ kind }) => kind !== 'ConfigMap')
  expect(others(fromChart)).toEqual(others(files))
  expect(files.map(({ kind }) => kind)).toEqual([
    'ConfigMap',
    'Deployment',
    'Ingress',
    'PersistentVolumeClaim',
    'Service',
  ])
})

test('the chart has the version of the package', () => {
  expect(parse(read('examples/deploy/helm/Chart.yaml'))).toMatchObject({
    version: manifest.version,
    appVersion: manifest.version,
  })
})

test('the objects have the types of Kubernetes, and no unknown members', async () => {
  const all = await rendered(values)
  expect(await complaintsAbout([...plain('tuskit', 'ingress'), ...all])).toEqual([])

  const service = find(all, 'Service')
  const wrong = [{ ports: [{ port: 'many' }] }, { ports: [{ port: 80, prot: 'TCP' }] }]
  expect(await complaintsAbout(wrong.map((spec) => ({ ...service, spec })))).toEqual([
    expect.stringContaining(`Type 'string' is not assignable to type 'number'`),
    expect.stringContaining(`'"prot"' does not exist`),
  ])
})

test('every value of the chart has its effect', async () => {
  const all = JSON.stringify(await rendered(values))
  const leaves = (value: unknown): unknown[] =>
    typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value]
  const missing = leaves(values).filter((value) => !all.includes(String(value)))
  expect(missing).toEqual([])
  const defaults = parse(read('examples/deploy/helm/values.yaml')) as object
  expect(Object.keys(values)).toEqual(Object.keys(defaults))

  const claimed = await rendered({ persistence: { existingClaim: 'acme-claim' } }, 'other')
  expect(JSON.stringify(claimed)).toContain('"claimName":"acme-claim"')
  expect(claimed.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([
    'ConfigMap other',
    'Deployment other',
    'Service other',
  ])
})

test.each([['no'], ['all']])(
  'Helm has nothing to say about the chart with %s values',
  async (set) => {
    const report = await runHelm(['lint', '--strict'], set === 'all' ? values : {})
    expect(report).toContain('1 chart(s) linted, 0 chart(s) failed')
  },
)

describe('the schema of the values refuses', () => {
  test.each([
    ['an unknown name', { replicas: 2 }, "'replicas' not allowed"],
    ['another type', { service: { port: 'http' } }, '/service/port'],
    ['a setting that is not spelled so', { settings: { maxSize: '5GiB' } }, 'maxSize'],
  ])('%s', async (_, wrong, reason) => {
    await expect(runHelm(['template', 'tuskit'], wrong)).rejects.toThrow(reason)
  })
})

test('the program knows the settings, and gets no variables that Kubernetes makes for the Service', async () => {
  const folder = await temporaryDirectory()
  const objects = plain('tuskit')
  const { data } = find<ConfigMap>(objects, 'ConfigMap')
  const { enableServiceLinks, containers } = find<Deployment>(objects, 'Deployment').spec.template
    .spec
  const file = join(folder, 'tuskit.yaml')
  await writeFile(file, data['tuskit.yaml'])
  const [command, ...flags] = containers[0]!.args.map((arg) =>
    arg === '/etc/tuskit/tuskit.yaml' ? file : arg,
  )
  expect(command).toBe('serve')
  const here = ['--data', `file:${folder}/uploads`, '--port', '0', '--admin', '127.0.0.1:0']
  expect(await runProgram(['check', ...flags, ...here])).toMatchObject({ code: 0 })

  expect(enableServiceLinks).toBe(false)
  const env = { TUSKIT_PORT: 'tcp://10.0.0.1:80' }
  expect(await runProgram(['check', ...flags], { env })).toMatchObject({ code: 2 })
})
