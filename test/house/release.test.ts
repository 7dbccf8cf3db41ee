import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { entryFor, publicPackages } from './release.mjs'
import { read } from './source-files.js'

const changelog = `# Changelog

## [1.1.0] - unreleased

Later.

## [1.0.0] - 2026-01-02

### For users

- Something.

## [0.1.0] - 2025-01-02
`

test('a release has the entry of its version as notes', () => {
  expect(entryFor('v1.0.0', '1.0.0', changelog)).toBe('### For users\n\n- Something.')
})

test.each([
  ['a tag that is not the version', 'v1.0.1', '1.0.0', 'The tag is v1.0.1'],
  ['a tag without v', '1.0.0', '1.0.0', 'The tag is 1.0.0'],
  ['a version without an entry', 'v1.0.2', '1.0.2', 'no entry for 1.0.2'],
  ['a version without a date', 'v1.1.0', '1.1.0', 'no date for 1.1.0'],
])('%s is not released', (_, tag, version, message) => {
  expect(() => entryFor(tag, version, changelog)).toThrow(message)
})

test('the changelog has an entry for the version of the manifest', () => {
  expect(read('CHANGELOG.md')).toContain(`\n## [${manifest.version}] - `)
})

test('the core is published, and first', () => {
  expect(publicPackages()[0]).toBe('.')
})
