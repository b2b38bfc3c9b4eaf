/** What the document says of the API as a whole, in Markdown. */
export const about = `The support desk that deskbridge ships. JSON in UTF-8, names in snake_case. One object is answered bare, a list as \`{data, next_cursor}\`. Times are RFC 3339 in UTC, money is \`{minor, currency}\`, phone numbers are E.164.

**Writing once.** Every write takes \`Idempotency-Key\`; for 72 hours the same key with the same request brings the first answer again.

**Versions of objects.** \`ETag\` is an object's version; \`If-Match\` carries a write out on that version only.

**Errors** are \`application/problem+json\` (RFC 9457) with a stable \`code\`.

**Methods.** What takes \`GET\` takes \`HEAD\`. A method that an address does not take is answered 405 \`method_not_allowed\`, with those that it takes in \`Allow\`; so is \`OPTIONS\`, with 204.

**Limits** are told by \`RateLimit-Policy\` and \`RateLimit\` on every answer; beyond them it is 429 with \`Retry-After\`.

**Versions of the API.** The version is in the path. Within it changes only add: routes, optional fields of requests, fields of answers, members of lists of values, codes of errors. A client ignores what it does not know. Whatever else changes gets a new path, and the old one stays beside it.

Every answer has an \`X-Request-Id\`.`;

/** What each group of operations is about. */
export const tagDescriptions: Readonly<Record<string, string>> = {
  key: "The API key of the request.",
  contacts:
    "People, recognised by e-mail addresses, phone numbers, ids of other systems and addresses in channels.",
  orders: "Orders of the systems that sell, linked to tickets.",
  tickets: "Conversations with requesters: tickets, their messages, tags, orders and ratings.",
  metrics: "Support metrics over time.",
  datasets: "Whole tables, for warehouses.",
  "business-hours": "The hours that business time is counted in.",
  changes: "Everything that happens, once and in one order.",
  webhooks: "Changes, sent to addresses of yours.",
  batch: "Many requests in one.",
  attachments: "Files of messages.",
  "client-tokens": "Tokens for end users.",
  me: "What end users do with their own tickets.",
  openapi: "This document.",
};
