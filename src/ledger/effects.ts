import { createHash } from "node:crypto";
import type { Pool } from "pg";
import type { RemoteObject } from "../sdk/desk.ts";
import type { EffectIntent, EffectLog, EffectRecord, EffectState, IntentAnswer } from "../sdk/effect-log.ts";
import { createBatcher } from "./batcher.ts";
import { isUnavailable } from "./fault.ts";
import type { OwnedLease } from "./lanes.ts";
import type { Lease } from "./ledger.ts";

const stateNumbers: Readonly<Record<EffectState, number>> = { planned: 1, sent: 2, done: 3 };
const states: readonly (EffectState | undefined)[] = [undefined, "planned", "sent", "done"];

interface EffectsOptions {
  /** Its commits wait for the disk. */
  readonly durable: Pool;
  /** Its commits do not: what they say is on disk with the next one that waits, and can be found out anew when it is lost before. */
  readonly relaxed: Pool;
  readonly guarded: <T>(run: () => Promise<T>) => Promise<T>;
}

type Noted = EffectIntent & { readonly lease: OwnedLease; readonly delivery: number };

/** The record of effects in PostgreSQL. Calls that run at the same time share statements and commits. */
export function createEffects({ durable, relaxed, guarded }: EffectsOptions) {
  const shared = { maxItems: 128, maxWaiting: Number.POSITIVE_INFINITY, isShared: isUnavailable };
  const reads = createBatcher({
    ...shared,
    parallel: 2,
    run: (asked: readonly Asked[]) => guarded(() => readEffects(relaxed, asked)),
  });
  const intents = createBatcher({
    ...shared,
    parallel: 1,
    run: (items: readonly Noted[]) => guarded(() => noteEffects(durable, items)),
  });
  const relaxedly = async (text: string, values: readonly unknown[]): Promise<void> =>
    guarded(async () => void (await relaxed.query(text, [...values])));

  return (lease: Lease, delivery: number): EffectLog => ({
    read: (effectKey) => reads.submit({ target: lease.target, effectKey }),
    sent: (intent) => intents.submit({ ...intent, lease: lease as OwnedLease, delivery }),
    done: ({ effectKey, step, tries }, object) =>
      relaxedly(finishText, [
        lease.target,
        effectKey,
        step,
        tries,
        stateNumbers.done,
        JSON.stringify(object),
      ]),
    planned: ({ effectKey, step, tries }) =>
      relaxedly(finishText, [lease.target, effectKey, step, tries, stateNumbers.planned, null]),
    ended: ({ effectKey, step, tries }) => relaxedly(endedText, [lease.target, effectKey, step, tries]),
    link: (kind, key) => guarded(() => readLink(relaxed, [lease.target, kind, digestOf(key)])),
    setLink: (kind, key, object, seen) =>
      relaxedly(setLinkText, [lease.target, kind, digestOf(key), JSON.stringify(object), seen ?? null]),
  });
}

/** What stands for a key in the tables: a key may be somebody's e-mail address, and links are kept for good. */
function digestOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

const finishText = "select finish_effect($1, $2, $3, $4, $5::smallint, $6::json)";
const endedText = `
update effect set ended_at = clock_timestamp() where connection = $1 and effect_key = $2 and step = $3 and tries = $4`;
const setLinkText = `
insert into link (connection, kind, key, object) values ($1, $2, $3, $4)
on conflict (connection, kind, key) do update set object = excluded.object, updated_at = clock_timestamp()
where link.object is null or link.object->>'id' = $5`;

interface Asked {
  readonly target: string;
  readonly effectKey: string;
}

interface EffectRow {
  readonly connection: string;
  readonly effect_key: string;
  readonly step: string;
  readonly state: number;
  readonly object: RemoteObject | null;
  readonly place: RemoteObject | null;
  readonly tries: number;
  readonly sent_ms: number;
  readonly ended_ms: number | null;
}

const readText = `
select connection, effect_key, step, state, object, place, tries, extract(epoch from clock_timestamp() - sent_at)::float8 * 1000 as sent_ms,
  extract(epoch from clock_timestamp() - ended_at)::float8 * 1000 as ended_ms
from effect where effect_key = any ($1)`;

async function readEffects(
  pool: Pool,
  asked: readonly Asked[],
): Promise<readonly (readonly EffectRecord[])[]> {
  const values = [asked.map(({ effectKey }) => effectKey)];
  const { rows } = await pool.query<EffectRow>({ name: "effects", text: readText, values });
  const byKey = Map.groupBy(rows, (row) => row.effect_key);
  return asked.map(({ target, effectKey }) =>
    (byKey.get(effectKey) ?? []).filter(({ connection }) => connection === target).map(toRecord),
  );
}

function toRecord({ step, state, object, place, tries, sent_ms, ended_ms }: EffectRow): EffectRecord {
  const name = states[state] ?? "sent";
  return {
    step,
    state: name,
    tries,
    sentAgoMs: name === "planned" ? 0 : sent_ms,
    ...(object === null ? {} : { object }),
    ...(place === null ? {} : { place }),
    ...(ended_ms === null ? {} : { endedAgoMs: ended_ms }),
  };
}

interface NotedRow {
  readonly item: number;
  readonly answer: IntentAnswer["kind"];
  readonly object: RemoteObject | null;
  readonly tries: number | null;
}

const noteText = `
select item, answer, object, tries
from note_effects($1, $2, $3, $4, $5, $6, $7, $8::text[], $9::text[], $10::text[], $11::float8[], $12::json[])`;

async function noteEffects(pool: Pool, items: readonly Noted[]): Promise<readonly IntentAnswer[]> {
  const { rows } = await pool.query<NotedRow>({
    name: "note-effects",
    text: noteText,
    values: [
      items.map((item) => item.effectKey),
      items.map((item) => item.step),
      items.map((item) => item.lease.target),
      items.map((item) => item.delivery),
      items.map((item) => item.lease.lane),
      items.map((item) => item.lease.owner),
      items.map((item) => item.lease.fence),
      items.map((item) => item.claims?.kind ?? null),
      items.map((item) => (item.claims === undefined ? null : digestOf(item.claims.key))),
      items.map((item) => item.claims?.replaces ?? null),
      items.map((item) => item.claimHoldsMs),
      items.map((item) => (item.place === undefined ? null : JSON.stringify(item.place))),
    ],
  });
  const byItem = new Map(rows.map((row) => [row.item, row]));
  return items.map((_, index): IntentAnswer => {
    const row = byItem.get(index + 1);
    if (row?.answer === "taken" && row.object !== null) return { kind: "taken", object: row.object };
    if (row?.answer === "noted" && row.tries !== null) return { kind: "noted", tries: row.tries };
    return { kind: row?.answer === "busy" ? "busy" : "lost" };
  });
}

async function readLink(pool: Pool, place: readonly string[]): Promise<RemoteObject | undefined> {
  const { rows } = await pool.query<{ object: RemoteObject | null }>({
    name: "link",
    text: "select object from link where connection = $1 and kind = $2 and key = $3",
    values: [...place],
  });
  return rows[0]?.object ?? undefined;
}
