import { expect } from 'vitest'
import type { RabbitMq } from '../services.js'
import type { Declared } from './recorded.js'

/** Returns what is declared, in the form of the recording. */
export async function declaredAt(broker: RabbitMq, url: string): Promise<Declared> {
  const list = async (command: string, ...columns: readonly string[]) => {
    const host = new URL(url).pathname.slice(1)
    const output = await broker.control(command, '-p', host, '--formatter=json', ...columns)
    return JSON.parse(output) as Record<string, unknown>[]
  }
  const lifespan = ['durable', 'auto_delete', 'arguments']
  const exchanges = await list('list_exchanges', 'name', 'type', 'internal', ...lifespan)
  const queues = await list('list_queues', 'name', 'exclusive', ...lifespan)
  const ends = ['source_name', 'destination_name', 'destination_kind']
  const bindings = await list('list_bindings', ...ends, 'routing_key', 'arguments')
  const named = ({ name }: Record<string, unknown>) => !/^(amq\.|$)/.test(String(name))
  return {
    exchanges: exchanges.filter(named),
    queues: queues as unknown as Declared['queues'],
    bindings: bindings
      .filter(({ source_name }) => source_name !== '')
      .map(({ source_name, destination_name, destination_kind, ...others }) => ({
        source: source_name,
        destination: destination_name,
        destination_type: destination_kind,
        ...others,
      })),
  }
}

/** Expects the same things to be declared, in any order. */
export function expectDeclared(here: Declared, there: Declared): void {
  // The command prints empty arguments as a list.
  const sorted = (items: readonly object[]) =>
    items
      .map((item) => ({ ...item, arguments: {} }))
      .toSorted((a, b) => (identity(a) < identity(b) ? -1 : 1))
  for (const name of ['exchanges', 'queues', 'bindings'] as const) {
    expect(sorted(here[name])).toEqual(sorted(there[name]))
  }
}

function identity(item: object): string {
  const { name, source, destination } = item as Record<string, unknown>
  return JSON.stringify([name, source, destination])
}
