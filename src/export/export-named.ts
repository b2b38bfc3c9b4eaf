import type { Config, ExportConfig } from "../config/config.ts";
import { AppError } from "../errors.ts";
import { didYouMean } from "../sdk/nearest-name.ts";

/** The configured export of that name, or throws `export_unknown`. */
export function exportNamed({ exports }: Pick<Config, "exports">, name: string): ExportConfig {
  const found = exports.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = exports.map((one) => one.name);
  const offer = known.length === 0 ? "none is configured" : `there are ${known.join(", ")}`;
  throw new AppError("export_unknown", `there is no export ${name}; ${offer}.${didYouMean(name, known)}`);
}
