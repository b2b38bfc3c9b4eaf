import { testSink } from "../../src/sdk/testing/index.ts";
import { parquetBucketSuite } from "../support/sink-parquet.ts";

testSink(parquetBucketSuite);
