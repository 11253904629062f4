import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';

export interface PostgresProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /**
   * Cuts the next connection that ends a COPY: before the server has heard of it, or after it has, with its answer kept
   * from the client. Resolves once it is cut.
   *
   * @param until what to wait for before the cut; the server's work, say
   */
  cut(when: 'before' | 'after', until?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

/** Stands between a client and Postgres, to cut connections at the moment where the outcome of COMMIT is unknown. */
export async function startPostgresProxy(serverUrl: string): Promise<PostgresProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let plan: { when: 'before' | 'after'; until: () => Promise<void>; done: () => void } | undefined;

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    upstream.pipe(client);
    client.on('data', (data) => {
      const cut = plan;
      if (!cut || !data.subarray(-COPY_DONE.length).equals(COPY_DONE)) {
        upstream.write(data);
        return;
      }
      plan = undefined;
      const end = (): void => {
        client.destroy();
        cut.done();
      };
      if (cut.when === 'before') end();
      else {
        upstream.unpipe(client);
        upstream.resume();
        upstream.write(data);
        void cut.until().then(end);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const url = new URL(serverUrl);
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    cut: (when, until = async () => {}) => new Promise((done) => (plan = { when, until, done })),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
