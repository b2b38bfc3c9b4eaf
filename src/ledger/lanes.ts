import type { Pool } from "pg";
import { AppError } from "../errors.ts";
import type { Event, EventType } from "../model/event.ts";
import type { Claim, DeliveryStatus, Lease, Mail, Settled, Settlement } from "./ledger.ts";

/** The most deliveries of one lane handed over at a time. */
const takePerLane = 20;

const statusNumbers: Readonly<Record<DeliveryStatus, number>> = { pending: 0, done: 1, skipped: 2, dead: 3 };

/** A lease as this adapter hands it out: `owner` tells one claim from every other one, also over a crash of the database. */
export interface OwnedLease extends Lease {
  readonly owner: string;
}

interface MailColumns {
  readonly delivery: number | null;
  readonly sequence: number;
  readonly flow: string;
  readonly attempts: number;
  readonly again: boolean;
  readonly connection: string;
  readonly event_id: string;
  readonly type: string;
  readonly subject: string;
  readonly happened_at: Date;
  readonly received_at: Date;
  readonly data: string;
  readonly raw: string | null;
}

function toMail(row: MailColumns): Mail {
  const event: Event = {
    id: row.event_id,
    source: row.connection,
    type: row.type as EventType,
    subject: row.subject,
    time: row.happened_at.toISOString(),
    data: JSON.parse(row.data) as Event["data"],
  };
  if (row.raw !== null) addRaw(event, row.raw);
  return {
    delivery: row.delivery as number,
    sequence: row.sequence,
    flow: row.flow,
    attempts: row.attempts,
    again: row.again,
    event,
    receivedAt: row.received_at.getTime(),
  };
}

/** The vendor's body is the larger part of an event, and few flows look at it: it is parsed when it is first read. */
function addRaw(event: Event, text: string): void {
  let parsed: { readonly value: unknown } | undefined;
  const get = (): unknown => (parsed ??= { value: JSON.parse(text) }).value;
  Object.defineProperty(event, "raw", { get, enumerable: true });
}

export interface ClaimRequest {
  readonly target: string;
  readonly lanes: readonly string[];
  readonly leaseMs: number;
}

interface ClaimRow extends MailColumns {
  readonly lane_index: number;
  readonly fence: number | null;
  readonly paused_ms: number | null;
}

const claimText = "select lane_index, fence, paused_ms, (letter).* from claim_lanes($1, $2, $3, $4, $5)";

/** The lanes that a batch of requests asks for, each once; a lane that two of them name goes to the first. */
function distinctLanes(requests: readonly ClaimRequest[]): {
  readonly target: string;
  readonly lane: string;
  readonly request: number;
}[] {
  const seen = new Set<string>();
  return requests.flatMap((request, index) =>
    request.lanes.flatMap((lane) => {
      const key = `${request.target}\n${lane}`;
      if (seen.has(key)) return [];
      seen.add(key);
      return [{ target: request.target, lane, request: index }];
    }),
  );
}

/** Leases lanes for several requests in one statement. `owner` must be new for each call; `isCertain` goes on the leases. */
export async function claimBatch(
  pool: Pool,
  requests: readonly ClaimRequest[],
  owner: string,
  isCertain: () => boolean,
): Promise<readonly Claim[]> {
  const startedAt = performance.now();
  const asked = distinctLanes(requests);
  const leaseMs = Math.min(...requests.map((request) => request.leaseMs));
  const { rows } = await pool.query<ClaimRow>({
    name: "claim",
    text: claimText,
    values: [asked.map((one) => one.target), asked.map((one) => one.lane), owner, leaseMs, takePerLane],
  });
  const pausedMs = new Map<string, number>();
  const granted = requests.map(() => new Map<string, { lease: OwnedLease; mail: Mail[] }>());
  for (const row of rows) {
    const place = asked[row.lane_index - 1];
    if (place === undefined) continue;
    const { target, lane, request } = place;
    if (row.paused_ms !== null) {
      pausedMs.set(target, Math.max(1, row.paused_ms));
      continue;
    }
    const lanes = granted[request] as Map<string, { lease: OwnedLease; mail: Mail[] }>;
    const lease = {
      target,
      lane,
      fence: row.fence as number,
      owner,
      expiresAt: startedAt + leaseMs,
      isCertain,
    };
    const leased = lanes.get(lane) ?? { lease, mail: [] };
    if (row.delivery !== null) leased.mail.push(toMail(row));
    lanes.set(lane, leased);
  }
  return requests.map((request, index): Claim => {
    const forMs = pausedMs.get(request.target);
    if (forMs !== undefined) return { kind: "paused", forMs };
    return { kind: "leased", lanes: [...(granted[index]?.values() ?? [])] };
  });
}

export interface SettleRequest {
  readonly lease: OwnedLease;
  readonly settlements: readonly Settlement[];
  readonly leaseMs: number;
}

interface SettleRow extends MailColumns {
  readonly lane_index: number;
  readonly held: boolean;
  readonly kept: boolean;
  readonly next_due_ms: number | null;
}

const settleText = `select lane_index, held, kept, next_due_ms, (letter).*
from settle_lanes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`;

function settlementColumns(requests: readonly SettleRequest[]): unknown[][] {
  const columns: unknown[][] = [[], [], [], [], [], [], [], [], [], [], [], [], []];
  requests.forEach((request, index) => {
    for (const { delivery, status, dueInMs, hold = false, counts, attempt } of request.settlements) {
      // A dead delivery that holds its lane is the head of it, and never due.
      const holds = hold && status === "dead";
      const row = [
        index + 1,
        delivery,
        statusNumbers[holds ? "pending" : status],
        holds ? Infinity : (dueInMs ?? null),
        counts,
        new Date(attempt.startedAt),
        Math.round(attempt.durationMs),
        attempt.outcome,
        attempt.code ?? null,
        attempt.message?.replaceAll("\0", "\uFFFD") ?? null,
        JSON.stringify(attempt.receipts),
        attempt.config ?? null,
        attempt.operations === undefined ? null : JSON.stringify(attempt.operations),
      ];
      row.forEach((value, column) => columns[column]?.push(value));
    }
  });
  return columns;
}

/** Records the results of several lanes in one statement; a lane that is no longer ours comes back as an `AppError` `lease_lost`. */
export async function settleBatch(
  pool: Pool,
  requests: readonly SettleRequest[],
): Promise<readonly (Settled | AppError)[]> {
  const startedAt = performance.now();
  const leaseMs = Math.min(...requests.map((request) => request.leaseMs));
  const leases = requests.map((request) => request.lease);
  const { rows } = await pool.query<SettleRow>({
    name: "settle",
    text: settleText,
    values: [
      leases.map((lease) => lease.target),
      leases.map((lease) => lease.lane),
      leases.map((lease) => lease.owner),
      leases.map((lease) => lease.fence),
      ...settlementColumns(requests),
      leaseMs,
      takePerLane,
    ],
  });
  const byLane = Map.groupBy(rows, (row) => row.lane_index - 1);
  return requests.map((request, index) => {
    const own = byLane.get(index) ?? [];
    const first = own[0];
    if (first === undefined || !first.held) return leaseLost(request.lease);
    return {
      more: own.filter((row) => row.delivery !== null).map(toMail),
      lease: first.kept ? { ...request.lease, expiresAt: startedAt + leaseMs } : undefined,
      nextDueInMs: first.next_due_ms === null ? undefined : Math.max(0, first.next_due_ms),
    };
  });
}

export function leaseLost(lease: Lease): AppError {
  return new AppError("lease_lost", `lane ${lease.lane} of ${lease.target} was taken over by another worker`);
}
