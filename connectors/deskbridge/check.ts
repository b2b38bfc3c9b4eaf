import { AppError } from "deskbridge/sdk";
import type { CheckResult, HttpClient } from "deskbridge/sdk";
import { z } from "zod";

const ownKey = z.object({ id: z.string(), scopes: z.array(z.string()) });

const needed = ["tickets:write", "contacts:write", "orders:write"];

/** Whether the Support API takes the key, and whether the key may do what the operations do. */
export async function checkKey(http: HttpClient, signal: AbortSignal): Promise<readonly CheckResult[]> {
  try {
    const { body } = await http.request({ method: "GET", path: "/v1/key", signal });
    const { id, scopes } = ownKey.parse(body);
    const missing = scopes.includes("admin") ? [] : needed.filter((scope) => !scopes.includes(scope));
    return [
      { name: "API key", ok: true, detail: `accepted as ${id}` },
      missing.length === 0
        ? { name: "scopes", ok: true, detail: "every operation is allowed" }
        : {
            name: "scopes",
            ok: false,
            detail: `the key lacks ${missing.join(", ")}; make one that has them with \`deskbridge keys create\``,
          },
    ];
  } catch (error) {
    const reason = error instanceof AppError ? error.message : "the answer is not that of a Support API";
    return [{ name: "API key", ok: false, detail: `${reason}; check url and apiKey` }];
  }
}
