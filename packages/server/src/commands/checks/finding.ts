import { styleText } from 'node:util'
import { adviceOn, reasonOf } from '../../explain.js'
import { printable } from '../terminal/printable.js'

/** The result of one check. */
export interface Finding {
  readonly outcome: 'ok' | 'warning' | 'failed'
  /** Names the check, such as `locks`. */
  readonly check: string
  readonly text: string
  /** One sentence that says how to correct it. */
  readonly advice?: string
}

export function ok(check: string, text: string): Finding {
  return { outcome: 'ok', check, text }
}

export function warning(check: string, text: string, advice?: string): Finding {
  return { outcome: 'warning', check, text, ...(advice !== undefined && { advice }) }
}

export function failed(check: string, text: string, advice?: string): Finding {
  return { outcome: 'failed', check, text, ...(advice !== undefined && { advice }) }
}

/** Returns the finding for an error, with advice on it. */
export function failedBy(check: string, error: unknown, before = ''): Finding {
  return failed(check, `${before}${reasonOf(error)}`, adviceOn(error))
}

const colors = { ok: 'green', warning: 'yellow', failed: 'red' } as const

/** Returns a finding as a line, with colors for a terminal. */
export function findingLine({ outcome, check, text, advice }: Finding): string {
  const padded = outcome.padEnd('warning'.length)
  const isColored = process.stdout.isTTY && !process.env['NO_COLOR']
  const word = isColored ? styleText(colors[outcome], padded) : padded
  const sentence = /[.!?]$/.test(text) ? text : `${text}.`
  return `${word}  ${check}: ${printable([sentence, advice].filter(Boolean).join(' '))}`
}
