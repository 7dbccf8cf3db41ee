import { testRecipe } from './recipe.js'

testRecipe({
  framework: 'SvelteKit 3, adapter-node 6',
  folder: 'sveltekit',
  packages: [
    '@sveltejs/kit@3.2.0',
    '@sveltejs/adapter-node@6.0.1',
    '@sveltejs/vite-plugin-svelte@7.3.1',
    'svelte@5.57.3',
    'vite@8.4.0',
  ],
  node: '24.21.0',
  files: {
    'vite.config.js': `
      import adapter from '@sveltejs/adapter-node'
      import { sveltekit } from '@sveltejs/kit/vite'
      export default { plugins: [sveltekit({ adapter: adapter() })] }
    `,
    'src/app.html': '<head>%sveltekit.head%</head><body>%sveltekit.body%</body>',
    'src/routes/about/+page.svelte': '<p>hello</p>',
  },
  build: ['node_modules/vite/bin/vite.js', 'build'],
  start: () => ['server.mjs'],
  decorate: ['uploads(request,', "uploads(Object.assign(request, { user: 'ada' }),"],
  notFound: /Not found/i,
})
