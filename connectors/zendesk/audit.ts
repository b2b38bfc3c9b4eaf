import { AppError } from "deskbridge/sdk";
import type { RemoteObject } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import { remoteId } from "./ticket.ts";

const auditEvent = z.object({ id: remoteId.optional(), type: z.string().optional() });

const audit = z.object({
  events: z.array(auditEvent).default([]),
  metadata: z.object({ custom: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  via: z
    .object({
      source: z
        .object({ rel: z.string().nullish(), to: z.object({ ticket_id: remoteId.nullish() }).nullish() })
        .nullish(),
    })
    .nullish(),
});

type Audit = z.output<typeof audit>;

const auditList = z.object({ audits: z.array(audit), next_page: z.string().nullish() });

/** The answer to an update of a ticket. */
export const updateAnswer = z.object({ ticket: z.object({ id: remoteId }), audit });

/** Under this name the effect key stands in the metadata of the audit that a write leaves behind. Customers never see it. */
export const markerName = "deskbridge";

const pageSize = 100;
/** Further back than this a marker is not looked for. */
const pagesRead = 10;

/** The comment that the update added. */
export function addedComment({ audit: { events } }: z.output<typeof updateAnswer>): RemoteObject {
  const [comment] = comments({ events });
  if (comment !== undefined) return comment;
  throw new AppError(
    "target_protocol",
    "the ticket was updated, but the answer tells of no comment; the vendor leaves out texts of nothing but blanks",
  );
}

function comments({ events }: Pick<Audit, "events">): readonly RemoteObject[] {
  return events.flatMap(({ type, id }) => (type === "Comment" && id !== undefined ? [{ id }] : []));
}

/**
 * The comments on a ticket that carry the marker, oldest first. Reads the last thousand audits, newest first; when the marker is not among them and
 * there are more, whether it was written is unknown.
 */
export async function findMarked(
  api: ZendeskApi,
  ticketId: string,
  marker: string,
  signal: AbortSignal,
): Promise<readonly RemoteObject[]> {
  for (let page = 1; page <= pagesRead; page += 1) {
    const { audits, next_page: more } = await readAudits(api, ticketId, page, signal);
    const marked = audits.filter(({ metadata }) => metadata?.custom?.[markerName] === marker);
    if (marked.length > 0) return marked.flatMap(comments).toSorted((a, b) => Number(a.id) - Number(b.id));
    if (typeof more !== "string") return [];
  }
  throw new AppError(
    "effect_unknown",
    `the last ${pageSize * pagesRead} changes of ticket ${ticketId} do not hold the message, and older ones are not read; look there, then resolve the dead letter`,
  );
}

/** The ticket that this one was merged into, where its audits tell. */
export async function readSurvivor(
  api: ZendeskApi,
  ticketId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { audits } = await readAudits(api, ticketId, 1, signal);
  return audits
    .map(({ via }) => (via?.source?.rel === "merge" ? via.source.to?.ticket_id : undefined))
    .find((id) => typeof id === "string" && id !== ticketId) as string | undefined;
}

function readAudits(
  api: ZendeskApi,
  ticketId: string,
  page: number,
  signal: AbortSignal,
): Promise<z.output<typeof auditList>> {
  const query = { sort_order: "desc", per_page: pageSize, page };
  return api.ask({ method: "GET", path: `/api/v2/tickets/${ticketId}/audits`, query, signal }, auditList);
}
