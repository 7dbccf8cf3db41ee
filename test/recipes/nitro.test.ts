import { testRecipe } from './recipe.js'

testRecipe({
  framework: 'Nitro 2 (h3 1)',
  folder: 'nitro',
  packages: ['nitropack@2.13.6'],
  node: '24.21.0',
  files: {
    'nitro.config.mjs': "export default { compatibilityDate: '2026-01-01' }",
    'routes/about.mjs': "export default () => 'hello'",
  },
  build: ['node_modules/nitropack/dist/cli/index.mjs', 'build'],
  start: () => ['.output/server/index.mjs'],
  decorate: ['return uploads(', "request.user = 'ada'\n  return uploads("],
  notFound: /404/,
})
