import { expect, it, vi } from 'vitest';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { pipeline } from '../../src/pipeline.ts';
import { checkAll } from '../../src/command/check.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { pushSource } from '../support/push-source.ts';

it('asks each sink that can be asked, opens none, and says so of the others', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const silent = { ...memorySink<Event<Uint8Array>>('silent'), open: () => expect.fail('opened') };
    const good = { ...silent, name: 'good', check: async (name: string) => `asked for ${name}` };
    const bad = { ...silent, name: 'bad', check: () => Promise.reject(new Error('no table')) };
    const refused = ['::1', '127.0.0.1'].map((address) => new Error(`connect ECONNREFUSED ${address}:5432`));
    const away = { ...silent, name: 'away', check: () => Promise.reject(new AggregateError(refused)) };
    const within = { hours: 1 };
    const declared = pipeline('shop')
      .from(pushSource())
      .pipe(
        dedupe({ by: String, within, state: { describe: 'a memory', open: () => expect.fail('opened') } }),
        dedupe({ by: String, within, state: identityLog(`${import.meta.filename}/dedupe.db`) }),
        dedupe({ by: String, within }),
      )
      .to(silent, good, bad, away);
    expect(await checkAll(declared, '/nowhere/pipeline.ts')).toBe(false);
    const said = write.mock.calls.map(([text]) => String(text)).join('');
    expect(said).toContain('?     types: not checked, as no tsconfig.json is beside /nowhere/pipeline.ts or above it\n');
    expect(said).toContain('?     dedupe: a memory: not checked, as the state has no check\n');
    expect(said).toContain(`wrong dedupe: file:${import.meta.filename}/dedupe.db: expected a folder, got a file`);
    expect(said.match(/ dedupe: /g)).toHaveLength(2);
    expect(said).toContain('?     silent: silent: in memory: not checked, as the sink has no check\n');
    expect(said).toContain('ok    good: silent: in memory: asked for shop\n');
    expect(said).toContain('wrong bad: silent: in memory: no table\n');
    expect(said).toContain('wrong away: silent: in memory: connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432\n');
  } finally {
    write.mockRestore();
  }
});
