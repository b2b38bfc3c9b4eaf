// Volume and resolution of the last days, by days of a time zone:
//   DESK_URL=http://127.0.0.1:8787 DESK_KEY=… node examples/dashboard/dashboard.ts Europe/Berlin 7
import { supportApiOfEnvironment } from "../support-api.ts";
import { readFigures } from "./figures.ts";
import { formatChart, formatTable } from "./page.ts";

const [timeZone = "UTC", days = "7"] = process.argv.slice(2);
const from = new Date(Date.now() - (Number(days) - 1) * 86_400_000);

const figures = await readFigures(supportApiOfEnvironment(), { from, timeZone });
process.stdout.write(`Days of ${timeZone}\n\n${formatTable(figures)}\n\n${formatChart(figures)}\n`);
