import { testSink } from "../../src/sdk/testing/index.ts";
import { httpSuite } from "../support/sink-http.ts";

testSink(httpSuite);
