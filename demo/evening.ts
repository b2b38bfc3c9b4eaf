import { runExport } from "../src/export/exporter.ts";
import { answerTickets } from "./desk/agents.ts";
import type { DeskTicket } from "./desk/support-api.ts";
import { createSupportApi } from "./desk/support-api.ts";
import type { ReasonRow } from "./report/warehouse-query.ts";
import { queryReasons } from "./report/warehouse-query.ts";
import type { Stage } from "./stage.ts";

/** What is done when the day is over: agents answer, and the desk goes to the warehouse. */
export interface Evening {
  readonly replied: number;
  /** Rows that the warehouse was given. */
  readonly exported: number;
  /** Read back out of the warehouse. */
  readonly reasons: readonly ReasonRow[];
  readonly faults: readonly string[];
}

const exportName = "nightly";

export async function endDay(
  stage: Stage,
  tickets: readonly DeskTicket[],
  signal: AbortSignal,
): Promise<Evening> {
  const { engine } = stage.app;
  const replied = await answerTickets(tickets, createSupportApi(stage.url, stage.apiKey));
  const mode = { kind: "incremental" } as const;
  const result = await runExport(engine, { name: exportName, trigger: "hand", mode, signal });
  signal.throwIfAborted();
  if (result?.fault !== undefined) throw result.fault;
  const exported = result?.rows ?? 0;
  const reasons = await queryReasons(stage.lake);
  return { replied, exported, reasons, faults: faultsOf(tickets.length, replied, reasons) };
}

/** The desk may have tickets of earlier days, too. */
function faultsOf(tickets: number, replied: number, reasons: readonly ReasonRow[]): readonly string[] {
  const sum = (of: "tickets" | "answered"): number => reasons.reduce((total, row) => total + row[of], 0);
  return [
    ...(sum("tickets") < tickets ? [`the warehouse has ${sum("tickets")} tickets of ${tickets}`] : []),
    ...(sum("answered") < replied
      ? [`the warehouse has ${sum("answered")} first replies of ${replied}`]
      : []),
  ];
}
