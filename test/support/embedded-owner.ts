import { openEmbeddedPostgres } from "../../src/ledger/embedded.ts";

// A process that opens the data directory given to it, prints its server's pid, and waits to be killed.
const server = await openEmbeddedPostgres({ dataDir: process.argv[2] ?? "", settings: { fsync: "off" } });
process.stdout.write(`${server.pid}\n`);
setInterval(() => undefined, 60_000);
