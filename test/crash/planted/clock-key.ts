// An object's key has the time at which it is put, so that a second try does not meet the first.
import { setTimeout as sleep } from 'node:timers/promises';
import { runPlanted, sayPlanted } from './planted.ts';

await runPlanted({
  store: (right) => ({
    ...right,
    async open(context) {
      const open = await right.open(context);
      return {
        head: (key) => open.head(key),
        get: (key) => open.get(key),
        list: (prefix) => open.list(prefix),
        async put(key, body, options) {
          if (!key.startsWith('snowplow/')) return open.put(key, body, options);
          const etag = await open.put(key.replace(/-\d+\.tsv/, `-${Date.now()}.tsv`), body, options);
          sayPlanted();
          await sleep(1000);
          return etag;
        },
        close: () => open.close(),
      };
    },
  }),
});
