import { testSink } from "../../src/sdk/testing/index.ts";
import { localFilesSuite } from "../support/sink-files.ts";

testSink(localFilesSuite("parquet"));
testSink(localFilesSuite("csv"));
testSink(localFilesSuite("jsonl"));
