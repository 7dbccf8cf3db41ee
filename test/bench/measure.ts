import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures } from './figures.js'
import { Probe } from './probe.js'
import type { RunningServer } from './running-server.js'
import { percentile } from './statistics.js'

const MiB = 1024 * 1024

/** Runs `work`, which moves some bytes, while a probe requests another upload. */
export async function measureTransfer(
  server: RunningServer,
  probed: string,
  bytes: number,
  work: () => Promise<void>,
): Promise<Figures> {
  const probe = await Probe.start(server.port, probed)
  try {
    const figures = await measureBytes(server, bytes, work)
    return { ...figures, ...latencies(await probe.stop()) }
  } finally {
    probe.kill()
  }
}

/** Runs `work`, which moves some bytes. */
export async function measureBytes(
  server: RunningServer,
  bytes: number,
  work: () => Promise<void>,
): Promise<Figures> {
  backMemory(server.directory, bytes)
  const { seconds, cpu, peak } = await meter(server, work)
  return { rate: bytes / MiB / seconds, cpu: cpu / (bytes / 1024 / MiB), peak }
}

/**
 * Writes as many bytes as the work stores, and removes them. A virtual machine returns memory that
 * was free for some seconds to its host, and the next process to use it pays several times the
 * price of the write.
 */
function backMemory(directory: string, bytes: number): void {
  const path = join(directory, '.memory')
  const file = openSync(path, 'w')
  for (let written = 0; written < bytes; written += block.length) writeSync(file, block)
  closeSync(file)
  rmSync(path)
}

const block = Buffer.alloc(MiB)

/** Runs `work`, which makes some requests, and returns the milliseconds that each took. */
export async function measureRequests(
  server: RunningServer,
  work: () => Promise<readonly number[]>,
): Promise<Figures> {
  let took: readonly number[] = []
  const { seconds, cpu, peak } = await meter(server, async () => {
    took = await work()
  })
  const [rate, share] = [took.length / seconds, took.length / 1000]
  return { rate, cpu: cpu / share, peak, ...latencies(took) }
}

interface Used {
  readonly seconds: number
  readonly cpu: number
  readonly peak: number
}

/** Runs `work`, and returns what the server used in the meantime; memory in MiB. */
async function meter({ meter }: RunningServer, work: () => Promise<void>): Promise<Used> {
  meter.resetPeak()
  const cpu = meter.cpuSeconds()
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  return { seconds, cpu: meter.cpuSeconds() - cpu, peak: meter.peakBytes() / MiB }
}

function latencies(took: readonly number[]): { p50: number; p99: number } {
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) }
}
