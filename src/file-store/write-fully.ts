import type { FileHandle } from 'node:fs/promises'

/** Writes all of `buffers` at `position`, and returns how many bytes that were. */
export async function writeFully(
  file: FileHandle,
  buffers: readonly Buffer[],
  position: number,
): Promise<number> {
  const size = buffers.reduce((sum, { length }) => sum + length, 0)
  for (let done = 0, rest = buffers; done < size; rest = after(buffers, done)) {
    done += (await file.writev(rest, position + done)).bytesWritten
  }
  return size
}

/** What follows the first `skipped` bytes. */
function after(buffers: readonly Buffer[], skipped: number): readonly Buffer[] {
  const rest: Buffer[] = []
  let position = 0
  for (const buffer of buffers) {
    if (position + buffer.length > skipped)
      rest.push(buffer.subarray(Math.max(0, skipped - position)))
    position += buffer.length
  }
  return rest
}
