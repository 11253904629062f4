import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs';
import type { World } from './world.ts';

/** What can befall a call of a store. */
export type Fate = 'answered' | 'lost' | 'unanswered' | 'late' | 'repeated';

/**
 * A process: code that runs while it is alive. All that it waits for, its timers and its calls, comes through here, so that it
 * can be killed (nothing of it happens any more, but what was on its way may arrive) or paused (it goes on later, knowing nothing).
 */
export class SimulatedProcess {
  readonly name: string;
  readonly world: World;
  readonly scheduler: SchedulerLike;
  #state: 'alive' | 'paused' | 'dead' = 'alive';
  readonly #backlog: (() => void)[] = [];
  readonly #onKill: (() => void)[] = [];

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
    // Machines do not agree on the time.
    const skewMs = world.random.chance(0.3) ? world.between(-2000, 2000) : 0;
    this.scheduler = {
      now: () => world.nowMs + skewMs,
      schedule: (work, delayMs, state) => new Action(this, work as (state: unknown) => void).schedule(state, delayMs),
    };
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  note(line: string): void {
    this.world.note(`${this.name} ${line}`);
  }

  kill(): void {
    if (this.isDead) return;
    this.note('killed');
    this.#state = 'dead';
    for (const act of this.#onKill.splice(0)) act();
  }

  onKill(act: () => void): void {
    this.#onKill.push(act);
  }

  pause(): void {
    this.note('paused');
    this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.note('resumed');
    this.#state = 'alive';
    for (const act of this.#backlog.splice(0)) this.after(0, act);
  }

  /** Lets something happen in this process. */
  after(delayMs: number, act: () => void): void {
    this.world.after(delayMs, () => {
      if (this.#state === 'paused') this.#backlog.push(act);
      else if (this.#state === 'alive') act();
    });
  }

  /**
   * Calls a server: `serve` runs there, at some time, not at all, twice, or after the caller has given it up.
   *
   * @param fates what can befall it
   * @param failure what the caller gets when no answer comes
   */
  call<T>(what: string, fates: readonly Fate[], serve: () => T, failure: () => Error): Promise<T> {
    const { world } = this;
    return new Promise((resolve, reject) => {
      const fate: Fate = world.random.chance(world.faultRate) ? world.random.pick(fates) : 'answered';
      if (fate !== 'answered') world.mishaps++;
      const fail = (): void => {
        this.note(`${what}: ${fate}`);
        reject(failure());
      };
      // Nothing is sent by the dead, nor before a pause is over.
      this.after(0, () => {
        if (fate === 'lost') return this.after(delay(world), fail);
        world.after(fate === 'late' ? world.between(0, 4000) : delay(world), () => {
          if (this.isDead && world.random.chance(0.5)) return;
          let answer = attempt(serve);
          if (fate === 'repeated') answer = attempt(serve);
          this.note(`${what}: ${fate === 'answered' ? '' : `${fate}, `}${'value' in answer ? 'done' : nameOf(answer.error)}`);
          if (fate === 'late') return;
          this.after(delay(world), () => {
            if (fate === 'unanswered') fail();
            else if ('value' in answer) resolve(answer.value);
            else reject(answer.error);
          });
        });
        if (fate === 'late') this.after(delay(world), fail);
      });
    });
  }
}

/** A round trip's half: mostly short, now and then very long. */
export function delay(world: World): number {
  return world.random.chance(0.02) ? world.between(500, 8000) : world.between(1, 30);
}

function attempt<T>(act: () => T): { value: T } | { error: unknown } {
  try {
    return { value: act() };
  } catch (error) {
    return { error };
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

class Action<T> extends Subscription implements SchedulerAction<T> {
  readonly #process: SimulatedProcess;
  readonly #work: (this: SchedulerAction<T>, state: T) => void;
  #turn = 0;

  constructor(process: SimulatedProcess, work: (this: SchedulerAction<T>, state: T) => void) {
    super();
    this.#process = process;
    this.#work = work;
  }

  schedule(state?: T, delayMs = 0): Subscription {
    const turn = ++this.#turn;
    this.#process.after(delayMs, () => {
      if (!this.closed && turn === this.#turn) this.#work(state as T);
    });
    return this;
  }
}
