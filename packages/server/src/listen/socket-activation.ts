/**
 * Returns the file descriptor of the socket that systemd has opened, or `undefined` if it has
 * opened none (sd_listen_fds(3)).
 */
export function activatedSocket(
  variables: Readonly<Record<string, string | undefined>>,
  processId: number,
): number | undefined {
  const { LISTEN_PID: owner, LISTEN_FDS: number } = variables
  if (owner !== String(processId) || !Number(number)) return undefined
  return 3
}
