import { type Server, type Socket, connect, createServer } from 'node:net';

/** A server, not listening yet, and what ends all its connections. */
export interface Relay {
  readonly server: Server;
  readonly close: () => void;
}

/** Connects to a target for each client that comes. @param between has both from then on */
export function relay(target: URL, usualPort: number, between: (client: Socket, upstream: Socket) => void): Relay {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || usualPort), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay().on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    between(client, upstream);
  });
  return { server, close: () => sockets.forEach((socket) => socket.destroy()) };
}
