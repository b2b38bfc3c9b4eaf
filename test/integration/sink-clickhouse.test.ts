import { afterAll } from "vitest";
import { testSink } from "../../src/sdk/testing/index.ts";
import { clickhouseSuite, closeSharedClickHouse } from "../support/sink-clickhouse.ts";

afterAll(closeSharedClickHouse);

testSink(clickhouseSuite);
