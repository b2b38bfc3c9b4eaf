import { AppError } from "../../src/errors.ts";
import type {
  ExportLedger,
  ExportRight,
  ExportRunRecord,
  ExportTableRecord,
  ExportTableState,
} from "../../src/ledger/exports.ts";

/** A ledger of exports in memory. Whoever begins takes over from whoever had begun before: those are taken for dead. */
export function createExportLedgerMemory(): ExportLedger & {
  readonly recorded: () => readonly ExportRunRecord[];
} {
  const runs: { -readonly [K in keyof ExportRunRecord]: ExportRunRecord[K] }[] = [];
  const tables = new Map<string, ExportTableState>();
  let holder = 0;

  const rightOf = (name: string, own: number, first: number): ExportRight => {
    let run = first;
    const requireOurs = (): void => {
      if (holder !== own) throw new AppError("lease_lost", "taken over");
    };
    const current = () => runs.find((one) => one.run === run);
    const right: ExportRight = {
      run: () => run,
      signal: new AbortController().signal,
      ensure: async () => requireOurs(),
      renumber: async (above) => {
        const record = current();
        run = above + 1;
        if (record !== undefined) record.run = run;
      },
      recordAll: async (some) => {
        for (const { record, move } of some) await right.record(record, move);
      },
      record: async (record, move) => {
        requireOurs();
        const others = current()?.tables.filter(({ table }) => table !== record.table) ?? [];
        const known = current();
        if (known !== undefined) known.tables = [...others, record];
        if (move !== undefined) tables.set(`${name} ${record.table}`, stateOf(name, run, record, move));
      },
      end: async ({ state, code, message }) => {
        const record = current();
        if (holder !== own || record === undefined) return;
        holder = 0;
        Object.assign(record, { state, code: code ?? null, message: message ?? null });
      },
    };
    return right;
  };
  return {
    begin: async ({ export: name, trigger, mode, config }) => {
      for (const one of runs) if (one.state === "running") one.state = "aborted";
      const run = Math.max(0, ...runs.map((one) => one.run)) + 1;
      holder = run;
      const times = { startedAt: "", finishedAt: null };
      runs.push({
        run,
        export: name,
        trigger,
        mode,
        config,
        ...times,
        state: "running",
        code: null,
        message: null,
        tables: [],
      });
      return rightOf(name, run, run);
    },
    tables: async (name) => [...tables.values()].filter((one) => one.export === name),
    runs: async ({ limit }) => runs.toReversed().slice(0, limit),
    standings: async () => [],
    noteSchedule: async () => undefined,
    prune: async () => 0,
    recorded: () => runs,
  };
}

function stateOf(
  name: string,
  run: number,
  { table, dataset, schemaVersion, asOf }: ExportTableRecord,
  move: Pick<ExportTableState, "sink" | "watermark" | "columns">,
): ExportTableState {
  return { export: name, table, dataset, schemaVersion, asOf, run, movedAt: "", ...move };
}
