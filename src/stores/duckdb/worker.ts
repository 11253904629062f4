import { parentPort, workerData } from 'node:worker_threads';
import type { RejectRow } from '../database.ts';
import { checkDuckdb, readStandings } from './check.ts';
import { packError, unpackError } from './errors.ts';
import { DuckdbFile } from './file.ts';
import { DuckdbStore } from './store.ts';
import type { Ask, Call, FromThread, ToThread } from './thread.ts';

/** The thread that all of DuckDB's work is done in: answers the calls of `thread.ts`. */
const stores = new Map<number, DuckdbStore>();
let opened = 0;
const answers = new Map<number, PromiseWithResolvers<readonly RejectRow[]>>();
const port = parentPort!;
const open = workerData as Int32Array<SharedArrayBuffer>;

port.on('message', (message: ToThread) => {
  if (!('call' in message)) {
    const { resolve, reject } = answers.get(message.id)!;
    answers.delete(message.id);
    if ('answer' in message) resolve(message.answer);
    else reject(unpackError(message.error));
    return;
  }
  void answer(message.id, message.call)
    .then(
      (value) => say({ id: message.id, value }),
      (error: Error) => say({ id: message.id, error: packError(error) }),
    )
    .finally(() => {
      Atomics.sub(open, 0, 1);
      Atomics.notify(open, 0);
    });
});

async function answer(id: number, call: Call): Promise<unknown> {
  const ask = (question: Ask): void => say({ id, ask: question });
  switch (call.method) {
    case 'open': {
      const store = await DuckdbStore.open(...call.args);
      stores.set(++opened, store);
      return opened;
    }
    case 'check':
      return checkDuckdb(...call.args);
    case 'stands':
      return readStandings(...call.args);
    case 'run':
      return run(...call.args);
    case 'commit':
      return stores.get(call.store)!.commit(...call.args, {
        send: (pass, numbers) => ask({ lines: { pass, numbers } }),
        refuse: (faults) => {
          const asked = Promise.withResolvers<readonly RejectRow[]>();
          answers.set(id, asked);
          ask({ faults });
          return asked.promise;
        },
      });
    case 'close':
      return close(call.store);
    default: {
      const store = stores.get(call.store)!;
      return (store[call.method] as (...args: unknown[]) => Promise<unknown>).apply(store, call.args);
    }
  }
}

async function close(id: number): Promise<void> {
  const store = stores.get(id)!;
  stores.delete(id);
  await store.close();
}

function say(message: FromThread): void {
  port.postMessage(message);
}

/** For tests: what this process has open, no other can read. */
async function run(path: string, statements: string): Promise<unknown> {
  const file = await DuckdbFile.acquire(path, { memoryLimitBytes: 64 * 1024 * 1024, threads: 1 });
  try {
    return await file.session((connection) => connection.run(statements));
  } finally {
    await file.release();
  }
}
