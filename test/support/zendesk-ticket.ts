/** A comment of a ticket on the stub. */
export interface StubComment {
  readonly id: number;
  readonly body: string;
  readonly public: boolean;
  readonly authorId: number;
}

export interface StubAudit {
  readonly id: number;
  readonly at: number;
  readonly custom: Readonly<Record<string, unknown>>;
  readonly comment?: StubComment;
  readonly via?: object;
}

/** A ticket as the stub keeps it; times are in milliseconds since the epoch. */
export interface StubTicket {
  readonly id: number;
  readonly externalId: string | undefined;
  readonly requesterId: number;
  readonly createdAt: number;
  readonly followUpOf: number | undefined;
  subject: string;
  status: string;
  priority: string | undefined;
  tags: string[];
  fields: Map<number, unknown>;
  comments: StubComment[];
  audits: StubAudit[];
  updatedAt: number;
  solvedAt?: number;
  isDeleted?: boolean;
  reopens?: number;
  assigneeId?: number;
  rating?: { readonly score: string; readonly comment: string };
}

/** What a request says about a ticket. */
export interface TicketWrite {
  readonly subject?: string;
  readonly status?: string;
  readonly priority?: string;
  readonly tags?: readonly string[];
  readonly external_id?: string;
  readonly comment?: { readonly body?: string; readonly public?: boolean; readonly author_id?: number };
  readonly custom_fields?: readonly { readonly id: number; readonly value: unknown }[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly requester_id?: number;
  readonly requester?: { readonly email?: string; readonly name?: string };
  readonly via_followup_source_id?: number;
  readonly safe_update?: boolean;
  readonly updated_stamp?: string;
}

/** The vendor keeps whole seconds. */
export function vendorTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** The ticket as the vendor shows it. */
export function shownTicket(ticket: StubTicket, address: string): Record<string, unknown> {
  const { id, externalId, requesterId, status, priority, tags, fields, subject, comments } = ticket;
  return {
    id,
    url: `${address}/api/v2/tickets/${id}.json`,
    external_id: externalId ?? "",
    subject,
    raw_subject: subject,
    description: comments[0]?.body ?? "",
    status: ticket.isDeleted === true ? "deleted" : status,
    priority: priority ?? null,
    requester_id: requesterId,
    submitter_id: requesterId,
    ...(ticket.assigneeId === undefined ? {} : { assignee_id: ticket.assigneeId }),
    satisfaction_rating: ticket.rating ?? { score: "unoffered" },
    tags: [...tags],
    custom_fields: [...fields].map(([field, value]) => ({ id: field, value })),
    created_at: vendorTime(ticket.createdAt),
    updated_at: vendorTime(ticket.updatedAt),
    via: {
      channel: "api",
      source:
        ticket.followUpOf === undefined
          ? { from: {}, to: {}, rel: null }
          : { from: { ticket_id: ticket.followUpOf }, to: {}, rel: "follow_up" },
    },
  };
}

export function shownAudit(ticketId: number, audit: StubAudit): Record<string, unknown> {
  const { id, at, custom, comment, via } = audit;
  const events =
    comment === undefined
      ? [{ id: id + 1, type: "Change", field_name: "status", value: "open" }]
      : [
          {
            id: comment.id,
            type: "Comment",
            body: comment.body,
            public: comment.public,
            author_id: comment.authorId,
          },
        ];
  return {
    id,
    ticket_id: ticketId,
    created_at: vendorTime(at),
    author_id: comment?.authorId ?? 1,
    metadata: { system: {}, custom },
    events,
    via: via ?? { channel: "api", source: { from: {}, to: {} } },
  };
}

/** Applies what a request says, and leaves an audit behind. The caller has checked that it may. */
export function applyWrite(
  ticket: StubTicket,
  write: TicketWrite,
  facts: {
    readonly newId: () => number;
    readonly now: number;
    readonly agentId: number;
    readonly via?: object;
  },
): StubAudit {
  const { newId, now, agentId, via } = facts;
  const { subject, status, priority, tags, comment, custom_fields: fields, metadata } = write;
  if (subject !== undefined) ticket.subject = subject;
  if (priority !== undefined) ticket.priority = priority;
  if (tags !== undefined) ticket.tags = normalTags(tags);
  if (status !== undefined && status !== ticket.status) {
    ticket.status = status;
    if (status === "solved") ticket.solvedAt = now;
  }
  for (const { id, value } of fields ?? []) ticket.fields.set(id, value);
  const said =
    comment?.body === undefined || comment.body.trim() === ""
      ? {}
      : {
          comment: {
            id: newId(),
            body: comment.body,
            public: comment.public ?? true,
            authorId: comment.author_id ?? agentId,
          },
        };
  const audit = {
    id: newId(),
    at: now,
    custom: metadata ?? {},
    ...said,
    ...(via === undefined ? {} : { via }),
  };
  // The vendor's event ids and audit ids come from one sequence.
  newId();
  if (said.comment !== undefined) ticket.comments.push(said.comment);
  ticket.audits.push(audit);
  ticket.updatedAt = now;
  return audit;
}

/** Tags as the vendor keeps them. */
export function normalTags(tags: readonly string[]): string[] {
  return [...new Set(tags.flatMap((tag) => tag.toLowerCase().split(/\s+/)))].filter((tag) => tag !== "");
}
