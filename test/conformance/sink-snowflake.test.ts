import { testSink } from "../../src/sdk/testing/index.ts";
import { snowflakeSuite } from "../support/sink-snowflake.ts";

testSink(snowflakeSuite);
