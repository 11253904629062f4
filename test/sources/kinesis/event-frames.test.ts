import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventFrames } from '../../../src/sources/kinesis/fan-out/event-frames.ts';
import { eventFrame } from '../../support/event-frame.ts';

/** What there is to read, in pieces; and how much of it has been read. */
function pieces(of: readonly Uint8Array[]) {
  let read = 0;
  return { read: () => read, next: async () => of[read++] };
}

async function framesOf(of: readonly Uint8Array[], admit = async (_sizeBytes: number) => true): Promise<string[]> {
  const frames: string[] = [];
  for await (const frame of eventFrames(pieces(of).next, admit)) frames.push(Buffer.from(frame).toString('hex'));
  return frames;
}

describe('eventFrames', () => {
  it('cuts an event stream into its events, in whatever pieces its bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        async (payloads, lengths) => {
          const frames = payloads.map((payload) => eventFrame('event', 'SubscribeToShardEvent', { payload }));
          const bytes = Buffer.concat(frames);
          const cut: Uint8Array[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) cut.push(bytes.subarray(at, (at += lengths[i % lengths.length]!)));
          const admitted: number[] = [];
          const seen = await framesOf(cut, async (sizeBytes) => {
            admitted.push(sizeBytes);
            return true;
          });
          expect(seen).toEqual(frames.map((frame) => frame.toString('hex')));
          expect(admitted).toEqual(frames.map(({ length }) => length));
        },
      ),
    );
  });

  it('reads no further than the length of an event before it is let in', async () => {
    const frame = eventFrame('event', 'SubscribeToShardEvent', { payload: 'x'.repeat(1000) });
    const { next, read } = pieces([frame.subarray(0, 3), frame.subarray(3, 10), frame.subarray(10, 500), frame.subarray(500)]);
    const room = Promise.withResolvers<boolean>();
    const first = eventFrames(next, () => room.promise).next();
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(read()).toBe(2);
    room.resolve(true);
    expect(Buffer.from((await first).value!).equals(frame)).toBe(true);
    expect(read()).toBe(4);
  });

  it('ends when an event is not let in, without an error', async () => {
    const frame = eventFrame('event', 'SubscribeToShardEvent', {});
    expect(await framesOf([frame, frame], async () => false)).toEqual([]);
  });

  it('fails on an end within an event, and on what is none', async () => {
    const frame = eventFrame('event', 'SubscribeToShardEvent', {});
    for (const length of [1, 4, 20, frame.length - 1])
      await expect(framesOf([frame, frame.subarray(0, length)])).rejects.toThrow('ended within an event');
    await expect(framesOf([Buffer.from('HTTP/1.1')])).rejects.toThrow('an event of 1213486160 bytes, expected 16 to 25165824');
    await expect(framesOf([Buffer.alloc(8)])).rejects.toThrow('an event of 0 bytes');
  });
});
