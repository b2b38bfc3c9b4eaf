import { localFilesSuite } from "./file-sink-fixture.ts";

export const parquetSuite = localFilesSuite("parquet");
