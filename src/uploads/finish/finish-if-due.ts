import type { Stat } from '../../capabilities/data-store.js'
import { TusError } from '../../errors.js'
import { inBackground, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { isComplete } from '../record/completion.js'
import { withTimeout } from '../../with-timeout.js'
import { concatenateFinalsOf } from './concatenate.js'
import { finish } from './finish.js'

/**
 * Finishes an upload if it is complete, unless finishing is implied, and concatenates the final
 * uploads that wait for it. Returns whether it is complete. If finishing takes longer than
 * `finishTimeout`, throws `ERR_UPLOAD_BUSY` while finishing continues.
 */
export async function finishIfDue(
  engine: Engine,
  holder: Holder,
  stored: Stat,
  exchange: Exchange,
): Promise<boolean> {
  const { upload } = holder
  if (!isComplete(upload, stored.offset)) return false
  const concatenateFinals = () => {
    if (upload.concat?.kind !== 'partial') return
    inBackground(engine, 'A concatenation', concatenateFinalsOf(engine, upload.id))
  }
  if (upload.finish === 'recorded' && upload.state.kind === 'open') {
    const finishing = finish(engine, holder, stored, exchange)
    holder.keep(finishing)
    await withTimeout(engine.settings.finishTimeout, finishing, () => {
      inBackground(engine, 'Finishing an upload', finishing.then(concatenateFinals))
      return new TusError('ERR_UPLOAD_BUSY')
    })
  }
  concatenateFinals()
  return true
}
