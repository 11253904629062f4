// Runs kinesis-local in a process of its own; started by kinesis-local.ts, never imported.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, Server, type Socket } from 'node:net';

const HTTP = Number(process.env['KINESIS_MOCK_PLAIN_PORT']);

// It says nowhere which port it got, and speaks HTTP on one port and TLS on another, both plain sockets to Node: so the ports
// it is told (kinesis-local.ts sets them) only tell the two apart, and it gets free ones, on loopback.
const sockets = new Set<Socket>();
const listen = Reflect.get(Server.prototype, 'listen');
Server.prototype.listen = function (this: Server, port: unknown, ...rest: unknown[]) {
  this.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  if (port === HTTP)
    this.once('listening', () => {
      process.send?.({ port: (this.address() as AddressInfo).port });
      // From here on it only complains that the processor is busy, and nobody reads its pipes.
      process.stdout.write = process.stderr.write = () => true;
    });
  return Reflect.apply(listen, this, [0, '127.0.0.1', rest.at(-1)]);
} as typeof listen;

// It truncates its data file and then writes it; killed in between, it would not start again. So the old file stays whole
// until the new one is. It removes all listeners of the stream, so we look where the file is closed, and, as it does not
// wait for that when it ends, where the process exits.
const { createWriteStream, close, existsSync, renameSync } = fs;
Object.assign(fs, {
  createWriteStream(path: string, options: object) {
    const replace = (): void => {
      process.off('exit', replace);
      if (stream.writableFinished && existsSync(`${path}.new`)) renameSync(`${path}.new`, path);
    };
    const stream = createWriteStream(`${path}.new`, {
      ...options,
      fs: {
        ...fs,
        close(fd: number, done: (error?: Error | null) => void) {
          close(fd, (error) => {
            replace();
            done(error);
          });
        },
      },
    } as Parameters<typeof createWriteStream>[1]);
    process.once('exit', replace);
    return stream;
  },
});

// SIGTERM makes it write its data and end, but connections that are kept alive would hold it up. Data of ten thousand records
// take it many seconds, in which it must not be killed: what came since the last write would be lost.
process.once('SIGTERM', () => {
  if (process.connected) process.disconnect();
  setInterval(() => sockets.forEach((socket) => socket.destroy()), 50).unref();
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 600_000).unref();
});
// The channel closes when the parent is gone, however it went.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));

createRequire(import.meta.url)('kinesis-local');
