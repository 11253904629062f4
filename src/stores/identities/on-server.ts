import type { IdentityState, OpenIdentityState } from '../../operators/identity-state.ts';
import type { IdentityServer } from './block-server.ts';
import { ServerLog } from './server-log.ts';

/** A log on a server, by this name or that of the pipeline. */
export function onServer(server: IdentityServer, name: string | undefined): IdentityState {
  const where = `identityLog: ${server.describe}`;
  let prepared: ServerLog | undefined;
  return {
    describe: name === undefined ? server.describe : `${server.describe} (${name})`,
    check: (pipeline) => server.checkIdentities(name ?? pipeline),
    async prepare(pipeline) {
      if (prepared) throw new Error(`${where}: a run has it already; give each pipeline a state of its own`);
      const blocks = await server.openIdentities(name ?? pipeline);
      try {
        prepared = await ServerLog.take(where, blocks);
        return () => {
          prepared = undefined;
          return blocks.close();
        };
      } catch (error) {
        await blocks.close();
        throw error;
      }
    },
    open(): OpenIdentityState {
      if (!prepared)
        throw new Error(
          `${where}: only a run can open it, of a pipeline that has this dedupe among its own steps, not inside of another`,
        );
      return prepared;
    },
  };
}
