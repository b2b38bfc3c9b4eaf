import type { Engine } from "../jobs/engine.ts";

/** For how long a target may be missing from the configuration before its mail is given up: longer than a rollout takes. */
const graceMs = 600_000;

/** Watches over mail for targets that no flow of the configuration writes to any more. */
export interface OrphanWatch {
  /**
   * Takes note of the targets that have due mail. When one has been without a flow for ten minutes, its due deliveries become dead letters
   * (`connection_unknown`); returns how many.
   */
  readonly look: (targets: Iterable<string>) => Promise<number>;
}

export function createOrphanWatch(engine: Engine): OrphanWatch {
  /** When a target was first seen without a flow, by our clock. */
  const missingSince = new Map<string, number>();

  const giveUp = async (target: string): Promise<number> => {
    const deliveries = await engine.ledger.giveUp(target);
    engine.logger.error(
      { target, deliveries },
      "no flow writes to this target any more: its deliveries are dead letters now; restore it and retry, or discard them",
    );
    return deliveries;
  };

  return {
    look: async (targets) => {
      const { config } = engine.setup();
      const known = new Set(config.flows.map((flow) => flow.target));
      const missing = new Set([...targets].filter((target) => !known.has(target)));
      for (const target of missingSince.keys()) if (!missing.has(target)) missingSince.delete(target);
      let given = 0;
      for (const target of missing) {
        const since = missingSince.get(target);
        if (since === undefined) {
          missingSince.set(target, engine.now());
          engine.logger.error(
            { target, graceMs },
            "deliveries wait for a target that no flow writes to; they become dead letters after the grace time",
          );
        } else if (engine.now() - since >= graceMs) given += await giveUp(target);
      }
      return given;
    },
  };
}
