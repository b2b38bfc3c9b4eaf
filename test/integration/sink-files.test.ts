import { testSink } from "../../src/sdk/testing/index.ts";
import { csvSuite } from "../support/sink-csv.ts";
import { jsonlSuite } from "../support/sink-jsonl.ts";
import { parquetSuite } from "../support/sink-parquet.ts";

testSink(parquetSuite);
testSink(csvSuite);
testSink(jsonlSuite);
