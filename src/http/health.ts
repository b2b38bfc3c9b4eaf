import type { FastifyPluginAsync } from "fastify";
import { toAppError } from "../errors.ts";
import { budgetAccount } from "../jobs/connections.ts";
import type { Engine } from "../jobs/engine.ts";

interface HealthOptions {
  readonly engine: Engine;
  /** False while the process starts or goes down. */
  readonly isReady: () => boolean;
}

/**
 * `GET /healthz` says that the process runs, `GET /readyz` that it can take events (200, or 503 with what is missing), `GET /metrics` gives the
 * figures in the Prometheus text format. None of them holds anything private; they need no key.
 */
export function createHealth({ engine, isReady }: HealthOptions): FastifyPluginAsync {
  observe(engine, isReady);
  return async (server) => {
    server.get("/healthz", async () => ({ status: "ok" }));
    server.get("/readyz", async (_request, reply) => {
      const checks = {
        setup: isReady() ? "ok" : "not ready",
        database: await answerOf(() => engine.ledger.ping()),
        queue: await answerOf(() => engine.queue.ping()),
      };
      // Without its queue a process still takes events safely: they wait in the ledger.
      const ready = checks.setup === "ok" && checks.database === "ok";
      return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "not ready", checks });
    });
    server.get("/metrics", async (_request, reply) =>
      reply.type(engine.metrics.contentType).send(await engine.metrics.render()),
    );
  };
}

async function answerOf(ask: () => Promise<void>): Promise<string> {
  try {
    await ask();
    return "ok";
  } catch (error) {
    return toAppError(error).code;
  }
}

/** Readings that are taken when the figures are asked for. */
function observe(engine: Engine, isReady: () => boolean): void {
  engine.metrics.onScrape((gauges) => gauges.appendsWaiting(engine.ledger.waitingAppends()));
  const targetsOf = (): ReadonlySet<string> =>
    new Set(engine.setup().config.flows.map((flow) => flow.target));
  engine.metrics.onScrape(async (gauges) => {
    if (!isReady()) return;
    const held = new Map((await engine.ledger.heldLanes()).map(({ target, lanes }) => [target, lanes]));
    for (const target of targetsOf()) gauges.lanesHeld(target, held.get(target) ?? 0);
  });
  engine.metrics.onScrape(async (gauges) => {
    if (!isReady()) return;
    const targets = targetsOf();
    for (const target of targets) {
      gauges.queueDepth(target, await engine.queue.depth(target));
    }
  });
  engine.metrics.onScrape(async (gauges) => {
    if (!isReady()) return;
    const accounts = new Set([...engine.setup().connections.values()].map(budgetAccount));
    for (const account of accounts) {
      if (account !== undefined) gauges.rateBudget(account, await engine.budget.usage(account));
    }
  });
}
