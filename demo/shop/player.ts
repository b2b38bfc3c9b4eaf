import { createSlots } from "../../src/jobs/slots.ts";
import type { Step } from "../day/day.ts";

export interface PlayOptions {
  readonly send: (step: Step) => Promise<number>;
  /** Requests under way at a time. */
  readonly concurrency: number;
  /** Called after each final answer. */
  readonly onAnswer?: (step: Step, status: number) => void;
}

/**
 * Plays a day: sends the steps in their order, several at a time, those of one chain one after the other. Rejects with the first fault, after
 * what is under way has ended.
 */
export async function playDay(
  steps: readonly Step[],
  { send, concurrency, onAnswer }: PlayOptions,
): Promise<void> {
  const slots = createSlots(concurrency);
  const chains = new Map<string, Promise<void>>();
  const faults: unknown[] = [];
  for (const step of steps) {
    const before = chains.get(step.chain);
    const sent = (async () => {
      await before;
      const giveBack = await slots.take();
      try {
        if (faults.length > 0) return;
        const status = await send(step);
        onAnswer?.(step, status);
      } catch (error) {
        faults.push(error);
      } finally {
        giveBack();
      }
    })();
    chains.set(step.chain, sent);
  }
  await Promise.all(chains.values());
  if (faults.length > 0) throw faults[0];
}
