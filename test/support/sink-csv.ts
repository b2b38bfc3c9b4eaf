import { localFilesSuite } from "./file-sink-fixture.ts";

export const csvSuite = localFilesSuite("csv");
