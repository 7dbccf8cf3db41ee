import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { freePort } from '../support/free-port.js'

test('free ports are all different, and the system gives none of them to others', async () => {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
  const [first, last] = range.trim().split(/\s+/).map(Number)
  const ports: number[] = []
  for (let i = 0; i < 200; i++) ports.push(await freePort())
  expect(new Set(ports).size).toBe(200)
  expect(ports.filter((port) => port >= first! && port <= last!)).toEqual([])
})
