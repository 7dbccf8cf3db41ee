import { expect, test } from 'vitest'
import {
  descriptionOf,
  headings,
  namesIn,
  settingNames,
  settingOf,
  variableOf,
  type Group,
} from '../src/settings/settings.js'

// `npx vitest run packages/server --update` writes the page.
test('docs/server-settings.md lists all settings with their defaults', async () => {
  const sections = Object.entries(headings).map(([group, title]) => {
    const rows = namesIn(group as Group).map(rowOf)
    return [`## ${title}`, '', '| setting | default | meaning |', '|---|---|---|', ...rows].join(
      '\n',
    )
  })
  const page = `# Settings of the server program

Each setting has one name. \`base-path\` is the flag \`--base-path\`, the variable \`TUSKIT_BASE_PATH\` and the key \`base-path\` of the
configuration file, which is YAML and named by \`--config\` or \`TUSKIT_CONFIG\`. A flag counts more than a variable, and a variable
more than the file. Give the items of a list with commas, as a flag that you repeat, or as a list in the file.

- A size is a number of bytes, or has a unit: \`500MB\` is decimal and \`5GiB\` is binary.
- A time has a unit: \`500ms\`, \`30s\`, \`15m\`, \`24h\` or \`7d\`.
- A flag without a value is \`true\` or \`false\` as a variable or key.
- 🔒 marks a secret. You can also give the name of a file that contains it: the flag \`--hooks-http-secret-file\`, the variable
  \`TUSKIT_HOOKS_HTTP_SECRET_FILE\`, or the key \`hooks-http-secret-file\`.

An unknown or misspelt setting stops the start, wherever it is given.

${sections.join('\n\n')}
`
  await expect(page).toMatchFileSnapshot('../../../docs/server-settings.md')
})

test('every description is a sentence', () => {
  for (const name of settingNames) expect(settingOf(name).description).toMatch(/^[A-Zm].*\.$/s)
})

function rowOf(name: (typeof settingNames)[number]): string {
  const { type, default: usual, isSecret } = settingOf(name)
  const value = type.placeholder === '' ? '' : ` <${type.placeholder.replaceAll('|', '\\|')}>`
  const title = `\`--${name}${value}\`${isSecret ? ' 🔒' : ''}`
  expect(variableOf(name)).toBe(`TUSKIT_${name.toUpperCase().replaceAll('-', '_')}`)
  return `| ${title} | ${usual === undefined ? '' : `\`${usual}\``} | ${descriptionOf(name)} |`
}
