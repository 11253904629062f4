import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { pushSource } from '../support/push-source.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-second-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('a second run on the same machine', () => {
  it('ends with the reason when the first has the state of dedupe, and has taken nothing over', async () => {
    const sink = memorySink<Event<Uint8Array>>();
    const declare = (source: ReturnType<typeof pushSource>) =>
      pipeline('twice')
        .from(source)
        .pipe(
          dedupe({ by: (data) => Buffer.from(data).toString(), within: { hours: 1 }, state: identityLog(join(folder, 'state')) }),
        )
        .to(sink);
    const source = pushSource();
    const first = startRun(declare(source));
    await source.started();

    await expect(startRun(declare(pushSource())).finished).rejects.toThrow(/state is in use by another run/);

    source.push('one', 'one', 'two');
    source.end();
    expect(await first.finished).toMatchObject({ read: 3, stored: 2, dropped: { dedupe: 1 } });
  });
});
