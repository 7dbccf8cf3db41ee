import { testRecipe, type Recipe } from './recipe.js'

const packages = [
  '@nestjs/core@12.5.1',
  '@nestjs/common@12.5.1',
  '@nestjs/platform-express@12.5.1',
  '@nestjs/platform-fastify@12.5.0',
  'reflect-metadata@0.2.2',
  'rxjs@7.8.2',
]

// The output of TypeScript for decorators.
const module = `
import 'reflect-metadata'
import { Module } from '@nestjs/common'

export class AppModule {}
Module({})(AppModule)
`

const nest = (adapter: string): Recipe => ({
  framework: `NestJS 12, ${adapter}`,
  folder: `nest-${adapter}`,
  packages,
  files: { 'app.module.mjs': module },
  start: () => ['main.mjs'],
  decorate: [
    "app.use('/api/files', uploads)",
    "app.use((request, response, next) => next(void (request.user = 'ada')))\n$&",
  ],
  notFound: /Cannot GET/,
})

testRecipe(nest('express'))
testRecipe(nest('fastify'))
