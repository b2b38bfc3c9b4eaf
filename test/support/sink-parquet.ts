import parquet from "../../connectors/parquet/index.ts";
import { bucketSuite, folderSuite } from "./file-sink-fixture.ts";

export const parquetSuite = folderSuite(parquet);
export const parquetBucketSuite = bucketSuite(parquet);
