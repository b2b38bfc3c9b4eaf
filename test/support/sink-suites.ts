import type { SinkSuite } from "../../src/sdk/testing/index.ts";
import { bigquerySuite } from "./sink-bigquery.ts";
import { clickhouseSuite } from "./sink-clickhouse.ts";
import { csvSuite } from "./sink-csv.ts";
import { jsonlSuite } from "./sink-jsonl.ts";
import { duckdbSuite } from "./sink-duckdb.ts";
import { httpSuite } from "./sink-http.ts";
import { parquetBucketSuite, parquetSuite } from "./sink-parquet.ts";
import { postgresSuite } from "./sink-postgres.ts";
import { snowflakeSuite } from "./sink-snowflake.ts";

/**
 * The suite of every sink, from `test/support/sink-<connector>.ts`; the matrix in `docs/reference/sinks.md` is made of them. A suite's `name` is that of the
 * connector, with what sets it apart in brackets where a connector has several.
 */
export const sinkSuites: readonly SinkSuite[] = [
  postgresSuite,
  clickhouseSuite,
  parquetSuite,
  parquetBucketSuite,
  csvSuite,
  jsonlSuite,
  duckdbSuite,
  httpSuite,
  bigquerySuite,
  snowflakeSuite,
];
