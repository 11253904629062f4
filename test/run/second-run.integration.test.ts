import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FencedError } from '../../src/errors.ts';
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
  it('takes the memory of dedupe over with the shards; the first one ends with the reason, and remembers nothing more', async () => {
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

    source.push('one');
    await vi.waitFor(() => expect(sink.stored).toHaveLength(1), 10_000);

    const newer = pushSource();
    const second = startRun(declare(newer));
    await newer.started();
    source.push({ sequence: 2, raw: 'two' });
    await expect(first.finished).rejects.toThrow(FencedError);
    newer.push({ sequence: 2, raw: 'two' }, { sequence: 3, raw: 'one' }, { sequence: 4, raw: 'three' });
    newer.end();
    expect(await second.finished).toMatchObject({ read: 3, stored: 2, dropped: { dedupe: 1 } });
    expect(sink.stored).toHaveLength(3);
  });
});
