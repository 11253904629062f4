import type { IdentityState, OpenIdentityState } from '../../operators/identity-state.ts';
import type { BlockServer, IdentityServer } from './block-server.ts';
import { ServerLog, told } from './server-log.ts';

/** A log on a server, by this name or that of the pipeline. */
export function onServer(server: IdentityServer, name: string | undefined): IdentityState {
  const where = `identityLog: ${server.describe}`;
  let isTaken = false;
  let prepared: ServerLog | undefined;
  return {
    describe: name === undefined ? server.describe : `${server.describe} (${name})`,
    check: () => server.checkIdentities(),
    async prepare(pipeline) {
      if (isTaken) throw new Error(`${where}: a run has it already; give each pipeline a state of its own`);
      isTaken = true;
      let blocks: BlockServer | undefined;
      const release = async (): Promise<void> => {
        isTaken = false;
        prepared = undefined;
        await blocks?.close();
      };
      try {
        blocks = await server.openIdentities(name ?? pipeline);
        prepared = await ServerLog.take(where, blocks);
        return release;
      } catch (error) {
        await release();
        throw told(where, error);
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
