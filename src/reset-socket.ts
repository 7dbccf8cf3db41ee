import type { Socket } from 'node:net'

/**
 * Closes a connection with a reset, which the peer notices at once. Only plain TCP sockets can send
 * one; others are just closed.
 */
export function resetSocket(socket: Socket): void {
  const isTcp = !('encrypted' in socket) && socket.remoteAddress !== undefined
  // While a socket sends its end, Node fails to reset it, and then never closes its descriptor.
  if (isTcp && !socket.writableEnded) socket.resetAndDestroy()
  else socket.destroy()
}
