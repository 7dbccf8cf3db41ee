import assert from 'node:assert/strict'

/** Runs an operation whose fence says no from some question on; resolves to how that went. */
export type InterruptedTurn = (
  operation: (held: () => boolean) => Promise<unknown>,
) => Promise<'interrupted' | 'done'>

/**
 * Runs `attempt` again and again. In its first run the lock is lost at the first question, in the second run at the
 * second one, and so on until the operation gets through.
 */
export async function interruptEverywhere(
  attempt: (turn: InterruptedTurn) => Promise<'interrupted' | 'done'>,
): Promise<void> {
  for (let questions = 0; questions < 200; questions++) {
    const turn: InterruptedTurn = async (operation) => {
      let left = questions
      try {
        await operation(() => left-- > 0)
      } catch (error) {
        assert.equal((error as { code?: unknown })?.code, 'ERR_LOCK_LOST', String(error))
        return 'interrupted'
      }
      return 'done'
    }
    const outcome = await attempt(turn)
    if (outcome === 'done') return assert.ok(questions > 0, 'The lock is asked for before a change')
  }
  assert.fail('The operation asks for the lock a bounded number of times')
}
