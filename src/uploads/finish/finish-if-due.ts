import type { Stat } from '../../capabilities/data-store.js'
import { TusError } from '../../errors.js'
import { concatenateFinalsOf } from './concatenate.js'
import { inBackground, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { finish } from './finish.js'
import { withTimeout } from '../stores/with-timeout.js'

/**
 * What is due when an upload is full: to finish it, if that is not implied, and if it is a partial upload to join the
 * final uploads that wait for it. When finishing takes longer than `finishTimeout`, throws `ERR_UPLOAD_BUSY`, and it
 * goes on.
 */
export async function finishIfDue(
  engine: Engine,
  holder: Holder,
  from: Stat,
  exchange: Exchange,
): Promise<void> {
  const { upload } = holder
  const concatenateFinals = () => {
    if (upload.concat?.kind !== 'partial') return
    inBackground(engine, 'A concatenation', concatenateFinalsOf(engine, upload.id))
  }
  if (upload.finish === 'recorded' && upload.state.kind === 'open') {
    const finishing = finish(engine, holder, from, exchange)
    holder.keep(finishing)
    await withTimeout(engine.settings.finishTimeout, finishing, () => {
      inBackground(engine, 'Finishing an upload', finishing.then(concatenateFinals))
      return new TusError('ERR_UPLOAD_BUSY')
    })
  }
  concatenateFinals()
}
