import type { Watermark } from "../sdk/dataset-source.ts";

/** Where a table stands: the source's watermark, and what has to be known to go on from it. */
export interface Place {
  /** What rows and values are exported, as `ExportTable.selection`. From another selection's watermark nothing goes on. */
  readonly selection: string;
  /** The run that began to export everything, while that is not over: rows that were last written before it are dropped at the end. */
  readonly since: number | undefined;
  readonly watermark: Watermark;
}

/** The selection of a table whose rows are not those of any: it has to be filled from the beginning. */
export const noSelection = "none";

/** A place as one text, which is kept in the warehouse with the rows. */
export function formatPlace({ selection, since, watermark }: Place): string {
  return `deskbridge:1:${selection}:${since ?? ""}:${watermark}`;
}

/** Reads what `formatPlace` wrote; undefined for anything else, so that nothing is gone on from that is not understood. */
export function parsePlace(text: string | undefined): Place | undefined {
  const match = /^deskbridge:1:([^:]*):(\d*):(.*)$/s.exec(text ?? "");
  if (match === null) return undefined;
  const [, selection = "", since = "", watermark = ""] = match;
  return { selection, since: since === "" ? undefined : Number(since), watermark };
}
