import type { SupportApi } from "../support-api.ts";

/** A filled-in survey, as the survey tool sends it. */
export interface SurveyAnswer {
  /** The same when it is sent again. */
  readonly id: string;
  readonly ticket: string;
  /** 1 to 5. */
  readonly score: number;
  readonly comment?: string;
}

/** From this score on a ticket is done; up to the other one somebody has to look again. */
const contentFrom = 4;
const unhappyUpTo = 2;

/**
 * Puts a survey's score on its ticket. A good one closes the ticket. A bad one opens it again, urgent, with a note for the agents. What is between
 * leaves the ticket as it is. Sent twice, it is done once.
 */
export async function takeRating(
  api: SupportApi,
  answer: SurveyAnswer,
): Promise<"closed" | "opened" | "rated"> {
  const { id, score, comment } = answer;
  const ticket = `/v1/tickets/${encodeURIComponent(answer.ticket)}`;
  await api({
    method: "POST",
    path: `${ticket}/csat`,
    body: { score, ...(comment === undefined ? {} : { comment }), close: score >= contentFrom },
    idempotencyKey: `survey:${id}`,
  });
  if (score >= contentFrom) return "closed";
  if (score > unhappyUpTo) return "rated";
  const text = `Rated ${score} of 5${comment === undefined ? "." : `: ${comment}`}`;
  await api({
    method: "PATCH",
    path: ticket,
    body: {
      status: "open",
      priority: "urgent",
      message: { text, visibility: "internal", author: { type: "system", id: "survey" } },
    },
    idempotencyKey: `survey:${id}:open`,
  });
  return "opened";
}
