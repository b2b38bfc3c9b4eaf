import csv from "../../connectors/csv/index.ts";
import { folderSuite } from "./file-sink-fixture.ts";

export const csvSuite = folderSuite(csv);
