/** The part of an open file that is needed here. */
interface Writable {
  /** Returns how many bytes were written. */
  writev(buffers: readonly Buffer[], position: number): Promise<number>
}

/** Writes all of `buffers` at `position`. Returns their size. */
export async function writeFully(
  file: Writable,
  buffers: readonly Buffer[],
  position: number,
): Promise<number> {
  const size = buffers.reduce((sum, { length }) => sum + length, 0)
  for (let done = 0, rest = buffers; done < size; rest = after(buffers, done)) {
    done += await file.writev(rest, position + done)
  }
  return size
}

/** Returns the rest after the first `skipped` bytes. */
function after(buffers: readonly Buffer[], skipped: number): readonly Buffer[] {
  let start = -skipped
  const rest = buffers.map((buffer) => {
    const from = Math.max(0, -start)
    start += buffer.length
    return buffer.subarray(from)
  })
  return rest.filter(({ length }) => length > 0)
}
