import { testRecipe } from './recipe.js'

testRecipe({
  framework: 'Astro 7, @astrojs/node 11',
  folder: 'astro',
  packages: ['astro@7.3.5', '@astrojs/node@11.1.6'],
  node: '24.21.0',
  files: {
    'astro.config.mjs': `
      import node from '@astrojs/node'
      export default { output: 'server', adapter: node({ mode: 'middleware' }) }
    `,
    'src/pages/about.astro': '<p>hello</p>',
  },
  build: ['node_modules/astro/bin/astro.mjs', 'build'],
  start: () => ['server.mjs'],
  decorate: ['uploads(request,', "uploads(Object.assign(request, { user: 'ada' }),"],
  notFound: /404/,
})
