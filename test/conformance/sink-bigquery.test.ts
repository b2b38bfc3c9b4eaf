import { testSink } from "../../src/sdk/testing/index.ts";
import { bigquerySuite } from "../support/sink-bigquery.ts";

testSink(bigquerySuite);
