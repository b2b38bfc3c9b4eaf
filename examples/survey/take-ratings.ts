// Takes the answers of a survey tool, `POST /answers` with {id, ticket, score, comment}, signed by HMAC-SHA256 in `x-signature`:
//   DESK_URL=http://127.0.0.1:8787 DESK_KEY=… SURVEY_SECRET=… node examples/survey/take-ratings.ts
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { required, supportApiOfEnvironment, SupportApiError } from "../support-api.ts";
import type { SurveyAnswer } from "./rating.ts";
import { takeRating } from "./rating.ts";

const api = supportApiOfEnvironment();
const secret = required("SURVEY_SECRET");

const server = createServer(async (request, response) => {
  const answer = (status: number, body: object): void =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    const bytes = await bodyOf(request);
    if (!isSigned(bytes, String(request.headers["x-signature"]))) return answer(401, { error: "not signed" });
    const survey = parseAnswer(bytes);
    if (survey === undefined) return answer(400, { error: "not an answer" });
    answer(200, { outcome: await takeRating(api, survey) });
  } catch (error) {
    // The survey tool sends an answer again when it is not taken; a ticket that is not there will not be there then either.
    const isFinal = error instanceof SupportApiError && error.status < 500;
    answer(isFinal ? 422 : 503, { error: isFinal ? error.message : "try again" });
  }
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  process.stdout.write(
    `taking ratings at http://127.0.0.1:${(server.address() as AddressInfo).port}/answers\n`,
  );
});

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > 100_000) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isSigned(body: Buffer, signature: string): boolean {
  const expected = createHmac("sha256", secret).update(body).digest();
  const given = Buffer.from(signature, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function parseAnswer(bytes: Buffer): SurveyAnswer | undefined {
  try {
    const { id, ticket, score, comment } = JSON.parse(bytes.toString("utf8")) as Partial<SurveyAnswer>;
    if (typeof id !== "string" || typeof ticket !== "string") return undefined;
    if (typeof score !== "number" || !Number.isInteger(score) || score < 1 || score > 5) return undefined;
    return { id, ticket, score, ...(typeof comment === "string" && comment !== "" ? { comment } : {}) };
  } catch {
    return undefined;
  }
}
