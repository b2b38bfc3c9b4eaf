import type { Logger } from "pino";
import type { Config, ConnectionConfig } from "../config/config.ts";
import type { Flow } from "../flows/flow.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Budget } from "../queue/budget.ts";
import type { Queue } from "../queue/queue.ts";
import type { Connection } from "../sdk/connector.ts";
import type { CrashPoint } from "../telemetry/crash-point.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** A configured connection that has been opened. */
export interface OpenConnection {
  readonly config: ConnectionConfig;
  readonly connection: Connection;
}

/** What is in force now: swapped whole when the configuration is loaded again. */
export interface Setup {
  readonly config: Config;
  readonly connections: ReadonlyMap<string, OpenConnection>;
  readonly flows: ReadonlyMap<string, Flow>;
}

/** What every job works with. `setup()` is asked anew for each event, so a reload takes hold without a restart. */
export interface Engine {
  readonly ledger: Ledger;
  readonly queue: Queue;
  readonly budget: Budget;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly setup: () => Setup;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Passed at the moments of `crashPointNames`; does nothing outside of tests. Not awaited. */
  readonly crashPoint: CrashPoint;
}
