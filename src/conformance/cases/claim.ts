import type { Case } from '../case.js'

/** The slots of the composer. Each case compares them with the declared ones before it runs. */
export const claimCase: Case = {
  name: 'The factory fills the declared slots',
  clause: 'the-contract',
  needs: [],
  alone: false,
  opened: true,
  async run() {},
}
