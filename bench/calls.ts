import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a child process offers: named calls with one JSON argument and one JSON answer. */
export type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

/** A bench process of ours on the other side of an IPC channel. */
export interface Child<H extends Handlers> {
  readonly pid: number;
  /** Rejects with what the child threw, or when it ends before it has answered. */
  readonly call: <N extends keyof H & string>(
    name: N,
    argument: Parameters<H[N]>[0],
  ) => Promise<Awaited<ReturnType<H[N]>>>;
  /** Ends the process in order and waits until it is gone. */
  readonly stop: () => Promise<void>;
}

/** Starts a module of this folder as a process of its own; `H` are the handlers that it serves. */
export function startChild<H extends Handlers>(file: string, nodeFlags: readonly string[] = []): Child<H> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, [], { execArgv: [...nodeFlags], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  child.on("message", ({ id, value, error }: Answer) => {
    const call = open.get(id);
    open.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(`${file}: ${error}`));
  });
  child.on("exit", (code) => {
    for (const call of open.values()) call.reject(new Error(`${file} ended with ${code}`));
    open.clear();
  });
  return {
    pid: child.pid ?? 0,
    call: async (name, argument) => {
      calls += 1;
      const answer = Promise.withResolvers<unknown>();
      open.set(calls, answer);
      child.send({ id: calls, name, argument } satisfies Call);
      return (await answer.promise) as never;
    },
    stop: () => endProcess(child),
  };
}

/** Asks a process to end and waits for it; after ten seconds it is ended by force. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(force);
}

/** The child's side: answers calls until the parent is gone or asks it to end, then runs `close` and ends. */
export function serveCalls(handlers: Handlers, close: () => Promise<void> = async () => {}): void {
  const end = (): void => void close().finally(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("disconnect", end);
  process.on("message", (message) => void answer(message as Call, handlers));
}

async function answer({ id, name, argument }: Call, handlers: Handlers): Promise<void> {
  const reply = (content: Omit<Answer, "id">): void => void process.send?.({ id, ...content });
  try {
    reply({ value: await handlers[name]?.(argument as never) });
  } catch (error) {
    reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

/** Milliseconds on the clock that all processes of the machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
