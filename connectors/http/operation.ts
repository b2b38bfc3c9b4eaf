import type { EffectCall, EffectReceipt, OperationInput } from "deskbridge/sdk";
import type { Endpoint } from "./endpoint.ts";

/** Methods that do the same when they are repeated, by what HTTP says of them. */
const repeatable: ReadonlySet<string> = new Set(["GET", "PUT", "DELETE"]);

/** `http.request`: one request, with the effect's key as its idempotency key. */
export function createRequestOperation(endpoint: Endpoint) {
  return async (input: OperationInput<"http.request">, call: EffectCall): Promise<EffectReceipt> => {
    const send = async () => {
      const query = Object.entries(input.query ?? {}).map(([name, value]) => [name, String(value)]);
      await endpoint({
        id: call.effectKey,
        method: input.method,
        path: input.path,
        query: Object.fromEntries(query) as Record<string, string>,
        ...(input.headers === undefined ? {} : { headers: input.headers }),
        ...(input.body === undefined ? {} : { json: JSON.stringify(input.body) }),
        signal: call.signal,
      });
      return { id: "" };
    };
    if (repeatable.has(input.method)) {
      await send();
      return { result: "sent", kind: "request" };
    }
    const { how } = await call.once({ step: "request", send });
    return { result: "sent", kind: "request", ...(how === "sent" ? {} : { replayed: true }) };
  };
}
