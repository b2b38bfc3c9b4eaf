import Table from "cli-table3";
import type { Report, Summary } from "./report.ts";

/** The report for people. */
export function tableOf(report: Report): string {
  const { postgresBackend } = report;
  const rows: readonly (readonly [string, Summary | undefined])[] = [
    ["floor: bare BullMQ worker, one POST a job", report.floor],
    ["  the same with node:http", report.floorBareHttp],
    ["  the same with axios as it comes", report.floorAxios],
    ["drain: ledger to tickets", report.drain],
    ["end to end: webhooks to tickets, one process", report.endToEnd],
    ["  the same with serve and work apart", report.twoProcesses],
    ["ingest: webhooks to durable 202", report.ingest],
    ["drain, queue on PostgreSQL", postgresBackend?.drain],
    ["end to end, queue on PostgreSQL", postgresBackend?.endToEnd],
    ["drain to a desk without idempotency keys", report.lookupDrain],
  ];
  const table = new Table({
    head: ["", "events/s", "p50 ms", "p99 ms", "CPU ms/event: ours", "Redis", "PostgreSQL"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const [name, summary] of rows) {
    if (summary === undefined) continue;
    const { perSecond, p50Ms, p99Ms, cpuMsPerEvent: cpu } = summary;
    table.push([name, perSecond, p50Ms, p99Ms, cpu.process, cpu.redis, cpu.postgres]);
  }
  const targets = report.targets.map(
    ({ name, value, target, reached }) => `${reached ? "reached" : "MISSED "}  ${name}: ${value} (${target})`,
  );
  return [...(table.length === 0 ? [] : [table.toString()]), ...targets].join("\n");
}
