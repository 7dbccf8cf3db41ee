// @ts-check
import { defineConfig, globalIgnores } from 'eslint/config'
import { parser, plugin } from 'typescript-eslint'

// Rules that find faults. Layout belongs to Prettier, and what `tsc` reports is not repeated here.
export default defineConfig([
  globalIgnores(['**/dist/', '**/.dist/', 'uploads/', 'eslint.config.mjs']),
  {
    files: ['**/*.{ts,js,mjs,cjs}'],
    languageOptions: {
      parser,
      parserOptions: { project: 'tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { ts: plugin },
    rules: {
      // Promises
      'ts/await-thenable': 'error',
      'ts/no-floating-promises': 'error',
      'ts/no-misused-promises': 'error',
      'ts/return-await': ['error', 'error-handling-correctness-only'],
      'no-async-promise-executor': 'error',
      'no-unsafe-finally': 'error',

      // Errors
      'ts/only-throw-error': 'error',
      'preserve-caught-error': 'error',

      // Types
      'ts/consistent-type-exports': 'error',
      'ts/consistent-type-imports': 'error',
      'ts/no-explicit-any': 'error',
      'ts/no-import-type-side-effects': 'error',
      'ts/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],

      // Values that are not what they seem
      'ts/no-array-delete': 'error',
      'ts/no-base-to-string': 'error',
      'ts/no-for-in-array': 'error',
      'ts/no-unsafe-unary-minus': 'error',
      'ts/require-array-sort-compare': 'error',
      'ts/restrict-plus-operands': 'error',
      eqeqeq: 'error',
      'no-template-curly-in-string': 'error',
      'no-unsafe-optional-chaining': 'error',

      // Code without effect
      'ts/no-unused-expressions': 'error',
      'array-callback-return': 'error',
      'no-cond-assign': 'error',
      'no-constant-binary-expression': 'error',
      'no-dupe-else-if': 'error',
      'no-self-assign': 'error',
      'no-self-compare': 'error',
    },
  },
  {
    files: ['test/**', 'examples/**', 'packages/*/test/**'],
    rules: {
      // Listeners of Node and frameworks may be asynchronous here: a rejection ends the process or fails the test.
      'ts/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      // Tests throw what applications might throw.
      'ts/only-throw-error': 'off',
      // Tests write programs as strings.
      'no-template-curly-in-string': 'off',
    },
  },
])
