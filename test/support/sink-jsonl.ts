import jsonl from "../../connectors/jsonl/index.ts";
import { folderSuite } from "./file-sink-fixture.ts";

export const jsonlSuite = folderSuite(jsonl);
