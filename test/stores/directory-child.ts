// A process that competes for one object: adds one to its own count, as often as told, and says so each time.
import { directory } from '../../src/stores/directory.ts';
import { PreconditionFailedError } from '../../src/stores/object-store.ts';

const [path, name, times] = process.argv.slice(2) as [string, string, string];
const store = await directory(path).open({ report: () => {} });
for (let count = 1; count <= Number(times); count++) {
  for (;;) {
    const found = await store.get('counts');
    const counts = found ? (JSON.parse(Buffer.from(found.body).toString()) as Record<string, number>) : {};
    try {
      const body = Buffer.from(JSON.stringify({ ...counts, [name]: (counts[name] ?? 0) + 1 }));
      await store.put('counts', body, { condition: found ? { etag: found.etag } : 'absent' });
      break;
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
    }
  }
  process.stdout.write(`${count}\n`);
}
await store.close();
