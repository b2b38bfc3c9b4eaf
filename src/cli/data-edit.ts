import { AppError } from "../errors.ts";
import type { DataChange } from "../ledger/dead-letters.ts";

type Container = Record<string, unknown>;

/**
 * The data with one value put at a dotted path (`order.items.0.quantity`). A text stays text where a text stands now; else the value is read
 * as JSON where it is JSON. Objects that are missing on the way are made. Throws `bad_request` for a path that leads through a plain value.
 */
export function withValueAt(data: unknown, path: string, text: string): unknown {
  return changedAt(data, path, (container, key) => {
    container[key] = typeof container[key] === "string" ? text : valueOf(text);
  });
}

/** The data without the value at a dotted path. */
export function withoutValueAt(data: unknown, path: string): unknown {
  return changedAt(data, path, (container, key) => {
    if (!Object.hasOwn(container, key))
      throw new AppError("bad_request", `there is nothing at ${path} to take out`);
    if (Array.isArray(container)) container.splice(Number(key), 1);
    else delete container[key];
  });
}

function changedAt(
  data: unknown,
  path: string,
  change: (container: Container, key: string) => void,
): unknown {
  const copy = structuredClone(data);
  const steps = path.split(".");
  const last = steps.pop() ?? "";
  let container = copy;
  for (const step of steps) container = stepInto(container, step, path);
  change(asContainer(container, last, path), last);
  return copy;
}

function stepInto(value: unknown, step: string, path: string): unknown {
  const container = asContainer(value, step, path);
  if (!Object.hasOwn(container, step)) container[step] = {};
  return container[step];
}

function asContainer(value: unknown, step: string, path: string): Container {
  const fault = (message: string): AppError => new AppError("bad_request", `--set ${path}: ${message}`);
  if (step === "" || step === "__proto__") throw fault("a path is names and positions with dots between");
  if (typeof value !== "object" || value === null)
    throw fault(`${step} cannot be in a value that is no object`);
  if (Array.isArray(value) && (!/^\d{1,6}$/.test(step) || Number(step) > value.length)) {
    throw fault(`${step} is no position in a list of ${value.length}`);
  }
  return value as Container;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Every value that is other than it was, by its path; of what came or went whole, the whole. */
export function changesOf(before: unknown, after: unknown, path = ""): readonly DataChange[] {
  if (isContainer(before) && isContainer(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) =>
      changesOf(before[key], after[key], path === "" ? key : `${path}.${key}`),
    );
  }
  if (Object.is(before, after)) return [];
  return [
    {
      path,
      ...(before === undefined ? {} : { from: before }),
      ...(after === undefined ? {} : { to: after }),
    },
  ];
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}
