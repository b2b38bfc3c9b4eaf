import type { EffectCall, LinkClaim, RemoteObject } from "../desk.ts";
import type { EffectLog, EffectRecord, EffectState, EffectStep, EffectTry } from "../effect-log.ts";

interface Entry {
  readonly step: string;
  readonly tries: number;
  state: EffectState;
  object?: RemoteObject;
  sentAt: number;
  endedAt?: number;
  claims?: LinkClaim;
  place?: RemoteObject;
}

interface Link {
  object?: RemoteObject | undefined;
  holder?: string | undefined;
  heldAt: number;
}

/** An effect log in memory, for tests of a driver: what the ledger keeps in PostgreSQL. `now` is in milliseconds since the epoch. */
export function createEffectMemory(now: () => number = Date.now): EffectLog {
  const entries = new Map<string, Entry>();
  const links = new Map<string, Link>();
  const idOf = ({ effectKey, step }: EffectStep): string => `${effectKey}\n${step}`;
  const linkOf = (kind: string, key: string): string => `${kind}\n${key}`;
  const free = (id: string, { kind, key }: LinkClaim, object?: RemoteObject): void => {
    const link = links.get(linkOf(kind, key));
    if (link?.holder !== id) return;
    link.holder = undefined;
    if (object !== undefined) link.object = object;
  };
  const finish = (step: EffectTry, state: EffectState, object?: RemoteObject): void => {
    const entry = entries.get(idOf(step));
    if (entry === undefined || entry.tries !== step.tries) return;
    entry.state = state;
    if (object !== undefined) entry.object = object;
    if (entry.claims !== undefined) free(idOf(step), entry.claims, object);
  };
  return {
    read: async (effectKey) =>
      [...entries]
        .filter(([id]) => id.startsWith(`${effectKey}\n`))
        .map(([, entry]) => toRecord(entry, now())),
    sent: async ({ claims, claimHoldsMs, place, ...step }) => {
      const id = idOf(step);
      if (claims !== undefined) {
        const named = linkOf(claims.kind, claims.key);
        const link = links.get(named) ?? { heldAt: 0 };
        const isOurs = link.holder === id;
        const isHeld = link.holder !== undefined && now() - link.heldAt <= claimHoldsMs;
        if (!isOurs && isHeld) return { kind: "busy" };
        if (link.object !== undefined && link.object.id !== claims.replaces) {
          free(id, claims);
          return { kind: "taken", object: link.object };
        }
        links.set(named, { object: link.object, holder: id, heldAt: now() });
      }
      const earlier = entries.get(id)?.claims;
      if (earlier?.kind !== claims?.kind || earlier?.key !== claims?.key) {
        if (earlier !== undefined) free(id, earlier);
      }
      const tries = (entries.get(id)?.tries ?? 0) + 1;
      const facts = { ...(claims && { claims }), ...(place && { place }) };
      entries.set(id, { step: step.step, tries, state: "sent", sentAt: now(), ...facts });
      return { kind: "noted", tries };
    },
    done: async (step, object) => finish(step, "done", object),
    planned: async (step) => finish(step, "planned"),
    ended: async (step) => {
      const entry = entries.get(idOf(step));
      if (entry?.tries === step.tries) entry.endedAt = now();
    },
    link: async (kind, key) => links.get(linkOf(kind, key))?.object,
    setLink: async (kind, key, object, seen) => {
      const link = links.get(linkOf(kind, key)) ?? { heldAt: 0 };
      if (link.object !== undefined && link.object.id !== seen) return;
      links.set(linkOf(kind, key), { ...link, object });
    },
  };
}

function toRecord({ step, tries, state, object, place, sentAt, endedAt }: Entry, at: number): EffectRecord {
  return {
    step,
    tries,
    state,
    sentAgoMs: state === "planned" ? 0 : at - sentAt,
    ...(object === undefined ? {} : { object }),
    ...(place === undefined ? {} : { place }),
    ...(endedAt === undefined ? {} : { endedAgoMs: at - endedAt }),
  };
}

/** What goes with an operation on a desk that takes idempotency keys: nothing is kept. */
export function keyedCall(effectKey: string, signal: AbortSignal = new AbortController().signal): EffectCall {
  const { link, setLink } = createEffectMemory();
  return {
    effectKey,
    signal,
    once: async ({ send }) => ({ how: "sent", object: await send() }),
    begun: () => false,
    links: {
      get: link,
      set: async (kind, key, object) => setLink(kind, key, object, (await link(kind, key))?.id),
    },
  };
}
