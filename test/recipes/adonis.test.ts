import { testRecipe } from './recipe.js'

testRecipe({
  framework: 'AdonisJS 7',
  folder: 'adonis',
  packages: ['@adonisjs/core@7.5.2'],
  node: '24.21.0',
  files: {
    'adonisrc.js': `
      import { defineConfig } from '@adonisjs/core/app'
      export default defineConfig({
        providers: [() => import('@adonisjs/core/providers/app_provider')],
        preloads: [() => import('./start/kernel.js')],
      })
    `,
    'config/app.js': `
      import { defineConfig } from '@adonisjs/core/http'
      export const http = defineConfig({})
    `,
    'config/bodyparser.js': `
      import { defineConfig } from '@adonisjs/core/bodyparser'
      export default defineConfig({})
    `,
    'config/encryption.js': `
      import { defineConfig, drivers } from '@adonisjs/core/encryption'
      const app = drivers.aes256gcm({ id: 'app', keys: ['a key of thirty-two characters!!'] })
      export default defineConfig({ default: 'app', list: { app } })
    `,
    'config/logger.js': `
      import { defineConfig } from '@adonisjs/core/logger'
      export default defineConfig({ default: 'app', loggers: { app: { enabled: false } } })
    `,
  },
  start: () => ['bin/server.js'],
  decorate: [
    'return uploads(request.request,',
    "return uploads(Object.assign(request.request, { user: 'ada' }),",
  ],
  notFound: /Cannot GET/,
})
