import { describe, expect, it } from "vitest";
import type { Token } from "../../src/sdk/token.ts";
import { createSharedToken, createTokenMemory } from "../../src/sdk/token.ts";

/** Processes that share a store; each fetch gives the next number, good for a hundred milliseconds. */
function fleet(store = createTokenMemory()) {
  const clock = { ms: 0 };
  const fetched: (Token | undefined)[] = [];
  const process = (sealedWith = "a secret of the settings") =>
    createSharedToken({
      store,
      now: () => clock.ms,
      source: {
        sealedWith,
        fetch: async (last) => {
          fetched.push(last);
          const number = fetched.length;
          return { value: `token ${number}`, endsAt: clock.ms + 100, state: `refresh ${number}` };
        },
      },
    });
  return { clock, fetched, process };
}

describe("a shared token", () => {
  it("is fetched once for all callers of all processes, and again when it ends", async () => {
    const { clock, fetched, process } = fleet();
    const processes = [process(), process(), process()];
    const ask = () => Promise.all(processes.flatMap((one) => [one.current(), one.current()]));
    expect(new Set(await ask())).toEqual(new Set(["token 1"]));
    clock.ms = 99;
    expect(new Set(await ask())).toEqual(new Set(["token 1"]));
    clock.ms = 100;
    expect(new Set(await ask())).toEqual(new Set(["token 2"]));
    expect(fetched).toHaveLength(2);
  });

  it("hands the last one's state to the next fetch, also in a process that has just started", async () => {
    const { clock, fetched, process } = fleet();
    await process().current();
    clock.ms = 1000;
    await process().current();
    expect(fetched[1]).toMatchObject({ value: "token 1", state: "refresh 1" });
  });

  it("that was refused is fetched anew by one; the others take that over", async () => {
    const { fetched, process } = fleet();
    const [one, other] = [process(), process()];
    await Promise.all([one.current(), other.current()]);
    one.refuse("token 1");
    expect(await one.current()).toBe("token 2");
    // Refused a little later by one that does not know of the new one yet.
    other.refuse("token 1");
    expect(await other.current()).toBe("token 2");
    one.refuse("token 1");
    expect(await one.current()).toBe("token 2");
    expect(fetched).toHaveLength(2);
  });

  it("is kept encrypted, and forgotten when the secret changes", async () => {
    const kept: string[] = [];
    const memory = createTokenMemory();
    const { fetched, process } = fleet({
      exchange: async (change) => {
        const text = await memory.exchange(change);
        kept.push(text, Buffer.from(text, "base64").toString("latin1"));
        return text;
      },
    });
    await process().current();
    expect(kept.join()).not.toMatch(/token|refresh/);
    expect(await process("another secret").current()).toBe("token 2");
    expect(fetched).toEqual([undefined, undefined]);
  });

  it("keeps nothing of a fetch that failed, and the next caller tries again", async () => {
    let fails = true;
    const shared = createSharedToken({
      store: createTokenMemory(),
      now: () => 0,
      source: {
        sealedWith: "s",
        fetch: async () => {
          if (fails) throw new Error("no token today");
          return { value: "token", endsAt: 1 };
        },
      },
    });
    await expect(Promise.all([shared.current(), shared.current()])).rejects.toThrow("no token today");
    fails = false;
    expect(await shared.current()).toBe("token");
  });
});
