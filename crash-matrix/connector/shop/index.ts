import { z } from "zod";
import { AppError, createHmacVerifier, defineConnector, parseJsonBody } from "deskbridge/sdk";
import type { EventInput, HttpClient, HmacScheme, Source } from "deskbridge/sdk";

const happening = z.object({
  number: z.int(),
  order: z.string(),
  /** What the ticket is to say. */
  text: z.string(),
});
export type Happening = z.output<typeof happening>;

const page = z.object({ happenings: z.array(happening) });

/** Signed without a time: a sender whose clock is right must reach a process whose clock is not. */
export const scheme: HmacScheme = {
  header: "x-shop-signature",
  algorithm: "sha256",
  encoding: "hex",
  signedContent: "{body}",
};

function toEvent({ number, order, text }: Happening): EventInput {
  return {
    id: `happening/${order}/${number}`,
    type: "fulfillment.failed",
    subject: `order/${order}`,
    time: timeOf(number),
    data: {
      fulfillment: { id: `${order}-${number}`, status: "failure", message: text },
      order: { id: order, tags: [], items: [] },
    },
  };
}

/** The shop's numbers stand in for times: one a second. */
const epoch = Date.parse("2026-01-01T00:00:00Z");
const timeOf = (number: number): string => new Date(epoch + number * 1000).toISOString();
const numberOf = (time: string): number => (Date.parse(time) - epoch) / 1000;

function createSource(http: HttpClient): Source {
  return {
    description: "what happened to orders, in order of its number",
    every: "1s",
    async *read({ cursor, signal }) {
      let after = cursor === undefined ? 0 : numberOf(cursor.time);
      for (;;) {
        const { body } = await http.request({
          method: "GET",
          path: "/happenings",
          query: { after },
          signal,
        });
        const { happenings } = page.parse(body);
        const last = happenings.at(-1);
        if (last === undefined) return;
        after = last.number;
        yield { events: happenings.map(toEvent), cursor: { time: timeOf(after), seen: [] } };
      }
    },
  };
}

/** A shop that tells what happened both ways, for the crash matrix. */
export default defineConnector({
  name: "shop",
  description: "The shop of the crash matrix.",
  config: z.strictObject({
    url: z.url().describe("Where the shop lists what happened."),
    secret: z.string().min(1).describe("What its webhooks are signed with."),
  }),
  open: ({ url, secret }, context) => ({
    webhook: {
      verify: createHmacVerifier(scheme, [secret]),
      parse: ({ body }) => {
        const parsed = happening.safeParse(parseJsonBody(body));
        if (!parsed.success) throw new AppError("webhook_malformed", "the body is not a happening");
        return [toEvent(parsed.data)];
      },
    },
    sources: { happenings: createSource(context.http({ baseUrl: url, timeoutMs: 5000 })) },
  }),
});
