import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { read, root } from './source-files.js'

const yaml = createRequire(import.meta.url)('js-yaml') as { load(text: string): unknown }

interface Step {
  readonly uses?: string
  readonly run?: string
}

interface Job {
  readonly uses?: string
  readonly needs?: string | readonly string[]
  readonly 'timeout-minutes'?: number
  readonly strategy?: { readonly matrix: { readonly node: readonly number[] } }
  readonly steps?: readonly Step[]
}

interface Workflow {
  readonly permissions: unknown
  readonly jobs: Readonly<Record<string, Job>>
}

interface Field {
  readonly type: string
  readonly id?: string
  readonly attributes: { readonly label?: string; readonly value?: string }
}

interface Form {
  readonly name: string
  readonly description: string
  readonly body: readonly Field[]
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
}

function load<Shape>(file: string): Shape {
  return yaml.load(read(file)) as Shape
}

const workflows = filesIn('.github/workflows')
const forms = filesIn('.github/ISSUE_TEMPLATE').filter((file) => !file.endsWith('/config.yml'))

describe.each(workflows)('%s', (file) => {
  const { permissions, jobs } = load<Workflow>(file)
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? [])

  test('may only read, unless a job says more', () => {
    expect(permissions).toEqual({ contents: 'read' })
  })

  test('has a time limit for every job', () => {
    const unlimited = Object.entries(jobs).filter(
      ([, job]) => job.uses === undefined && !(Number(job['timeout-minutes']) > 0),
    )
    expect(unlimited.map(([name]) => name)).toEqual([])
  })

  test('needs jobs that exist', () => {
    const needed = Object.values(jobs).flatMap(({ needs = [] }) => needs)
    expect(needed.filter((name) => !(name in jobs))).toEqual([])
  })

  test('runs programs and workflows that exist', () => {
    const programs = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/\bnode (\S+\.m?js)\b/g)].map(([, program]) => program!),
    )
    const called = Object.values(jobs).flatMap(({ uses }) => uses ?? [])
    const missing = [...programs, ...called].filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })

  test('takes nothing into a script that others can write', () => {
    // A branch or a title can contain shell commands. Environment variables are safe.
    const unsafe = steps.filter(({ run = '' }) => /\$\{\{\s*github\.(event|head_ref)/.test(run))
    expect(unsafe).toEqual([])
  })
})

test('the tests run on each line of Node from the oldest that is promised', () => {
  const { node } = load<Workflow>('.github/workflows/ci.yml').jobs.test!.strategy!.matrix
  expect(manifest.engines.node).toBe(`>=${node[0]}.15`)
  expect(node).toEqual(node.map((_, index) => node[0]! + 2 * index))
})

test.each(forms)('%s is a form', (file) => {
  const { name, description, body } = load<Form>(file)
  expect([name, description]).not.toContain('')
  const inputs = body.filter(({ type }) => type !== 'markdown')
  const ids = inputs.map(({ id }) => id)
  expect(ids.length).toBeGreaterThan(0)
  expect(new Set(ids).size).toBe(ids.length)
  expect(body.filter(({ attributes: { label, value } }) => !(label ?? value))).toEqual([])
})

test('other settings of .github can be read', () => {
  expect(load('.github/ISSUE_TEMPLATE/config.yml')).toEqual({ blank_issues_enabled: false })
  expect(load('.github/dependabot.yml')).toMatchObject({ version: 2 })
})

test('npm scripts that workflows and pages name exist', () => {
  const pages = ['CONTRIBUTING.md', 'README.md', 'test/README.md']
  const templates = ['.github/pull_request_template.md', '.github/SECURITY.md', '.ci/run']
  const named = [...workflows, ...pages, ...templates].flatMap((file) =>
    [...read(file).matchAll(/\bnpm (?:run ([\w:-]+)|(test|start))\b/g)].map(
      ([, script, short]) => (script ?? short)!,
    ),
  )
  expect(named).toContain('test')
  expect(named.filter((script) => !(script in manifest.scripts))).toEqual([])
})
