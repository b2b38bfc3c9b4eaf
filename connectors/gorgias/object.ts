import { AppError } from "deskbridge/sdk";
import type { HttpResponse } from "deskbridge/sdk";
import { z } from "zod";

/** An id as its digits; those beyond 2^53 come as text. */
const id = z.union([z.int().positive(), z.string().regex(/^\d+$/)]).transform(String);

const channel = z.looseObject({
  type: z.string(),
  address: z.string().nullish(),
  preferred: z.boolean().nullish(),
});

export const customer = z.object({
  id,
  external_id: z.string().nullish(),
  email: z.string().nullish(),
  name: z.string().nullish(),
  channels: z.array(channel).nullish(),
});

export const ticket = z.object({
  id,
  external_id: z.string().nullish(),
  status: z.string(),
  priority: z.string().nullish(),
  subject: z.string().nullish(),
  customer: customer.nullish(),
  tags: z.array(z.object({ name: z.string() })).nullish(),
  custom_fields: z.unknown(),
  created_datetime: z.string().nullish(),
  updated_datetime: z.string().nullish(),
  closed_datetime: z.string().nullish(),
  trashed_datetime: z.string().nullish(),
});

export const message = z.object({
  id,
  external_id: z.string().nullish(),
  created_datetime: z.string().nullish(),
});

/** An object of which we need nothing but its id, such as the answer to a write. */
export const written = z.object({ id, external_id: z.string().nullish() });

export type Customer = z.output<typeof customer>;
export type Ticket = z.output<typeof ticket>;

/** The answer's body as what it should be. Throws `target_protocol`, which says nothing of the body. */
export function parseAnswer<T extends z.ZodType>(schema: T, what: string, answer: HttpResponse): z.output<T> {
  const parsed = schema.safeParse(answer.body);
  if (parsed.success) return parsed.data;
  throw new AppError(
    "target_protocol",
    `Gorgias answered ${answer.status}, but not with ${what}; check the connection's account and url`,
    { details: { status: answer.status } },
  );
}

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    meta: z.object({ next_cursor: z.string().nullish() }).nullish(),
  });
}

/** One of Gorgias's times as RFC 3339 in UTC with all its digits: without an offset they are in UTC. Undefined for what is no time. */
export function instantOf(text: string | null | undefined): string | undefined {
  const [, local, offset] =
    /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:?\d\d)?$/.exec(text ?? "") ?? [];
  if (local === undefined) return undefined;
  if (offset === undefined || offset === "Z" || /^[+-]00:?00$/.test(offset))
    return `${local.replace(" ", "T")}Z`;
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** The values of a ticket's custom fields by field id. Read as a map or as a list, they are written as a list. */
export function fieldValues(raw: unknown): ReadonlyMap<string, unknown> {
  const entries = Array.isArray(raw)
    ? raw.map((one: unknown) => [undefined, one] as const)
    : Object.entries(typeof raw === "object" && raw !== null ? raw : {});
  const shape = z.object({
    id: id.optional(),
    custom_field: z.object({ id }).optional(),
    value: z.unknown(),
  });
  return new Map(
    entries.map(([key, one]) => {
      const { data } = shape.safeParse(one);
      const field = data?.custom_field?.id ?? (key !== undefined && /^\d+$/.test(key) ? key : data?.id);
      // Writing replaces all fields, so one that is not understood would be wiped out.
      if (field === undefined || data === undefined) {
        throw new AppError(
          "target_protocol",
          "Gorgias gave the ticket's custom fields in a form that is not known",
        );
      }
      return [field, data.value] as const;
    }),
  );
}
