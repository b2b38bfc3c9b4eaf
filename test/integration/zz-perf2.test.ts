import { it } from "vitest";
import { openDeskStand } from "/tmp/w/sources/test/support/desk.ts";
import { seedDesk } from "/tmp/w/sources/bench/seed-desk.ts";
import { deskDatasets } from "/tmp/w/sources/src/desk/dataset.ts";
import pg from "pg";
it("perf", { timeout: 900_000 }, async () => {
  const stand = await openDeskStand();
  await seedDesk({ databaseUrl: stand.databaseUrl, tickets: 200_000, days: 365, note: () => undefined });
  const base = await stand.listen();
  await stand.desk.maintain();
  for (const round of [1, 2])
    for (const d of deskDatasets) {
      let after = "";
      let pages = 0,
        bytes = 0;
      const t0 = performance.now();
      let worst = 0;
      for (;;) {
        const p0 = performance.now();
        const a = await fetch(`${base}/v1/datasets/${d}${after === "" ? "" : `?after=${after}`}`, {
          headers: { authorization: `Bearer ${stand.adminKey}` },
        });
        const body = Buffer.from(await a.arrayBuffer());
        worst = Math.max(worst, performance.now() - p0);
        bytes += body.length;
        pages += 1;
        after = a.headers.get("deskbridge-next-cursor")!;
        if (a.headers.get("deskbridge-has-more") !== "true") break;
      }
      console.log(
        `FULL${round} ${d} pages ${pages} mb ${(bytes / 1e6).toFixed(1)} ms ${(performance.now() - t0).toFixed(0)} worst ${worst.toFixed(0)}`,
      );
    }
  const client = new pg.Client({
    connectionString: stand.databaseUrl,
    options: "-c search_path=deskbridge_desk",
  });
  await client.connect();
  for (const t of ["ticket", "message"]) {
    const t0 = performance.now();
    let n = 0;
    const { to } = await import("pg-copy-streams");
    const s = client.query(to(`copy (select * from ${t}) to stdout (format csv)`));
    for await (const c of s) n += (c as Buffer).length;
    console.log(`BARE ${t} mb ${(n / 1e6).toFixed(1)} ms ${(performance.now() - t0).toFixed(0)}`);
  }
  await client.end();
  await stand.close();
});
