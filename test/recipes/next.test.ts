import { testRecipe } from './recipe.js'

const next = 'node_modules/next/dist/bin/next'

testRecipe({
  framework: 'Next.js 16, pages router',
  folder: 'next',
  packages: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'],
  files: { 'pages/about.js': "export default () => 'hello'" },
  build: [next, 'build'],
  start: (port) => [next, 'start', '-p', String(port), '-H', '127.0.0.1'],
  decorate: ['return uploads(', "request.user = 'ada'\n  return uploads("],
  notFound: /404/,
})
