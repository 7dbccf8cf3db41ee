#!/usr/bin/env node
import cluster from 'node:cluster'
import { isSea } from 'node:sea'
import { run } from './run.js'

// Node starts workers with the path of a script, which a single executable takes for a parameter.
const first = isSea() && cluster.isWorker ? 3 : 2
void run(process.argv.slice(first), process.env)
