import connector from "../../connectors/snowflake/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkSuite } from "../../src/sdk/testing/index.ts";
import { engineRows, engineStranger } from "./sink-bigquery.ts";
import { openSnowflakeStub } from "./snowflake-stub.ts";

const schema = "SUPPORT";

/** The Snowflake sink on a stub: the official client and the statements are real, the warehouse is not. */
export const snowflakeSuite: SinkSuite = {
  name: "snowflake (on a stub)",
  open: async () => {
    const stub = await openSnowflakeStub();
    const reopen = async () => {
      const settings = connector.config.parse({
        account: "acme-analytics",
        username: "exports",
        password: "pw",
        warehouse: "EXPORTS",
        database: "ANALYTICS",
        apiUrl: stub.url,
      });
      const { sink } = await connector.open(settings, createTestContext());
      if (sink === undefined) throw new Error("the connector offers no sink");
      return sink;
    };
    return {
      sink: await reopen(),
      reopen,
      rows: (table) => engineRows(stub.engine, schema, table),
      stranger: engineStranger(stub.engine, schema),
      close: stub.close,
    };
  },
};
