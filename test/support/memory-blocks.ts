import type { BlockServer, IdentityServer, LogState, SentBlock } from '../../src/stores/identities/block-server.ts';

/** A server of logs in memory: what `test/stores/identities.conformance.ts` asks for, of whoever names it. */
export function memoryBlocks(): IdentityServer & { readonly log: (name: string) => BlockServer } {
  const logs = new Map<string, BlockServer>();
  const log = (name: string): BlockServer => {
    const found = logs.get(name) ?? memoryLog();
    logs.set(name, found);
    return found;
  };
  return {
    describe: 'memory:',
    checkIdentities: async () => 'is there',
    openIdentities: async (name) => log(name),
    log,
  };
}

function memoryLog(): BlockServer {
  let state: LogState = { epoch: 0, first: 1, last: 0 };
  let blocks: SentBlock[] = [];
  return {
    stands: async () => state,
    async takeOver(seen) {
      if (seen !== state.epoch) return undefined;
      return (state = { ...state, epoch: seen + 1 });
    },
    read: async (first, last) => blocks.filter(({ id }) => id >= first && id <= last),
    async append(epoch, block, firstId) {
      if (epoch !== state.epoch || block.id !== state.last + 1) return state;
      blocks = [...blocks, block].filter(({ id }) => id >= firstId);
      return (state = { epoch, first: firstId, last: block.id });
    },
    close: async () => {},
  };
}
