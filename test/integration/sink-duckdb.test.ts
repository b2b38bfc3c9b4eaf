import { testSink } from "../../src/sdk/testing/index.ts";
import { duckdbSuite } from "../support/sink-duckdb.ts";

testSink(duckdbSuite);
