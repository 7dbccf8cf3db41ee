/**
 * Returns the result of `work`. When it takes longer, throws what `timeoutError` makes, and the
 * work continues.
 */
export async function withTimeout<T>(
  milliseconds: number,
  work: Promise<T>,
  timeoutError: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeoutError()), milliseconds)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
