import { localFilesSuite } from "./file-sink-fixture.ts";

export const jsonlSuite = localFilesSuite("jsonl");
