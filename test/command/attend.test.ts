import { describe, expect, it, vi } from 'vitest';
import type { Event } from '../../src/event.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { attendAll } from '../../src/command/attend.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { type PushSource, pushSource } from '../support/push-source.ts';

interface Part {
  readonly source: PushSource;
  readonly sink: MemorySink<Event<Uint8Array>>;
  readonly declared: Pipeline;
}

function part(name: string): Part {
  const [source, sink] = [pushSource(), memorySink<Event<Uint8Array>>()];
  return { source, sink, declared: pipeline(name).from(source).to(sink) };
}

function attended(parts: readonly Part[], stop?: AbortSignal) {
  const written: string[] = [];
  const ended = attendAll(
    parts.map(({ declared }) => declared),
    { output: { write: (text: string) => written.push(text) > 0 }, ...(stop && { stop }) },
  );
  // Where there is no terminal, each message has the time.
  return { ended, text: () => written.join('').replaceAll(/^\d{4}-\S+Z /gm, '') };
}

describe('pipelines side by side', () => {
  it('each say who they are, and stop together', async () => {
    const parts = [part('a'), part('longer')];
    const stop = new AbortController();
    const { ended, text } = attended(parts, stop.signal);
    await Promise.all(parts.map(({ source }) => source.started()));
    for (const { source } of parts) source.push('one');
    stop.abort('enough');
    expect((await ended).map((counts) => counts?.stored)).toEqual([1, 1]);
    expect(text()).toBe('a:      stopping: enough\nlonger: stopping: enough\n');
  });

  it('stop when one of them fails, with what the others have read stored, and the reason told', async () => {
    const parts = [part('good'), part('bad')] as const;
    const { ended, text } = attended(parts);
    await Promise.all(parts.map(({ source }) => source.started()));
    parts[0].source.push('one', 'two');
    parts[1].source.fail(new TypeError('broken'));
    const [good, bad] = await ended;
    expect([good?.stored, bad]).toEqual([2, undefined]);
    expect(parts[0].sink.stored).toHaveLength(2);
    expect(text()).toContain('good: stopping: bad has ended\n');
    expect(text()).toMatch(/\nbad has ended: TypeError: broken\n {4}at .*attend\.test\.ts:\d+:\d+\)?\n$/);
  });

  it.each(['text', 'json'] as const)('say in a log of %s what ended one, be it no error, and in a circle', async (log) => {
    const one = part('shop');
    const written: string[] = [];
    const ended = attendAll([one.declared], { output: { write: (text: unknown) => written.push(String(text)) > 0 }, log });
    await one.source.started();
    const answer: Record<string, unknown> = { status: 503n };
    answer['request'] = { answer };
    one.source.fail(answer);
    expect(await ended).toEqual([undefined]);
    expect(written.join('')).toContain('<ref *1> { status: 503n, request: { answer: [Circular *1] } }');
  });

  it('say of a sink that fails which one it is, and where its own code threw, once', async () => {
    const one = part('shop');
    one.sink.beforeCommit = ({ items }) => {
      if (items.length > 0) throw new TypeError('my API answered 503');
    };
    const { ended, text } = attended([one]);
    await one.source.started();
    one.source.push('one');
    await ended;
    expect(text()).toMatch(
      /shop has ended: SinkError: memory \(memory: in memory\): my API answered 503\n {4}at .*attend\.test\.ts:\d+:\d+\)?\n$/,
    );
  });

  it('go on when one of them has come to its end', async () => {
    const parts = [part('short'), part('long')] as const;
    const { ended } = attended(parts);
    await Promise.all(parts.map(({ source }) => source.started()));
    parts[0].source.end();
    parts[1].source.push('one');
    await vi.waitFor(() => expect(parts[1].sink.stored).toHaveLength(1), 10_000);
    parts[1].source.push({ sequence: 2, raw: 'two' });
    parts[1].source.end();
    expect((await ended).map((counts) => counts?.stored)).toEqual([0, 2]);
  });

  it('stop once more by the first signal, and end at once by the second, also when they were told to stop before', async () => {
    const one = part('shop');
    const stored = Promise.withResolvers<void>();
    one.sink.beforeCommit = async ({ items }) => (items.length > 0 ? stored.promise : undefined);
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as () => never);
    try {
      const stop = new AbortController();
      const { ended, text } = attended([one], stop.signal);
      await one.source.started();
      one.source.push('one');
      stop.abort('the time is up');
      process.emit('SIGTERM', 'SIGTERM');
      expect(exit).not.toHaveBeenCalled();
      process.emit('SIGINT', 'SIGINT');
      expect(exit).toHaveBeenCalledWith(130);
      stored.resolve();
      await ended;
      expect(text()).toMatch(/^stopping: the time is up\nstopping already \(SIGTERM\); once more ends at once\n/);
    } finally {
      exit.mockRestore();
    }
  });
});
