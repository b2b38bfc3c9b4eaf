import { testSink } from "../../src/sdk/testing/index.ts";
import { postgresSuite } from "../support/sink-postgres.ts";

testSink(postgresSuite);
