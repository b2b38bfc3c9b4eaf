import { z } from "zod";

/** Objects on a page, where the request does not say. */
export const usualPage = 50_000;

const day = z.iso.date().refine((text) => text >= "1970-01-01" && text < "2200-01-01", {
  message: "must be between 1970 and 2200",
});

/** Query of `GET /v1/datasets/{dataset}`. */
export const datasetQuery = z
  .strictObject({
    columns: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .describe("names with commas, in the order in which they are wanted; all of them unless told"),
    after: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .describe("`Deskbridge-Next-Cursor` of the page before; everything from the beginning unless told"),
    from: day.optional().describe("with `until`: only rows of these days, UTC, as they are now"),
    until: day.optional().describe("not included"),
    limit: z.coerce
      .number<string>()
      .int()
      .min(1)
      .max(200_000)
      .default(usualPage)
      .describe("about how many rows a page may have"),
  })
  .refine(({ from, until }) => (from === undefined) === (until === undefined), {
    path: ["until"],
    message: "from and until go together",
  })
  .refine(({ from, until }) => from === undefined || until === undefined || from < until, {
    path: ["until"],
    message: "must be after from",
  })
  .refine(({ from, after }) => from === undefined || after === undefined, {
    path: ["after"],
    message: "goes without from and until: the cursor has the days",
  });
export type DatasetQuery = z.output<typeof datasetQuery>;
