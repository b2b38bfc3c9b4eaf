import { AppError } from "deskbridge/sdk";
import type { EffectReceipt, HttpClient, HttpRequest, HttpResponse } from "deskbridge/sdk";
import { z } from "zod";

const results = [
  "created",
  "appended",
  "reopened",
  "followed_up",
  "updated",
  "unchanged",
  "ignored",
] as const;

const answer = z.object({
  result: z.enum(results),
  id: z.string(),
  number: z.number().optional(),
});

const problem = z.object({ code: z.string(), detail: z.string(), retryable: z.boolean() });

/**
 * Sends one write and makes the receipt of its answer. A conflict that a repeat cannot mend is `target_rejected`. An effect key that came with
 * another content before has been carried out: the first content counts, whatever the mapping or the enrichment say since.
 */
export async function send(http: HttpClient, kind: string, request: HttpRequest): Promise<EffectReceipt> {
  const response = await http.request({ ...request, accept: [409, 422] });
  if (response.status === 409) throw conflictOf(request, response);
  if (response.status === 422) {
    if (codeOf(response) === "idempotency_mismatch") return { result: "unchanged", kind, replayed: true };
    throw rejectionOf(request, response);
  }
  const { body, headers } = response;
  const parsed = answer.safeParse({ ...(body as object), result: headers["deskbridge-result"] });
  if (!parsed.success) {
    throw new AppError(
      "target_protocol",
      `${request.method} answered ${response.status}, but not as a Support API does; check the connection's url`,
      { details: { status: response.status } },
    );
  }
  const { result, id, number } = parsed.data;
  return {
    result,
    kind,
    id,
    ...(number === undefined ? {} : { number: String(number) }),
    ...(headers["idempotency-replayed"] === "true" ? { replayed: true } : {}),
  };
}

function codeOf({ body }: HttpResponse): string | undefined {
  return problem.safeParse(body).data?.code;
}

function conflictOf(request: HttpRequest, response: HttpResponse): AppError {
  const { data } = problem.safeParse(response.body);
  return refusal(data?.retryable === false ? "target_rejected" : "target_conflict", request, response);
}

function rejectionOf(request: HttpRequest, response: HttpResponse): AppError {
  return refusal("target_rejected", request, response);
}

function refusal(
  code: "target_rejected" | "target_conflict",
  { method }: HttpRequest,
  { status, body }: HttpResponse,
): AppError {
  const { data } = problem.safeParse(body);
  const words = data === undefined ? "no reason given" : `${data.code}: ${data.detail}`;
  return new AppError(code, `${method} answered ${status}: ${words}`, { details: { status } });
}
