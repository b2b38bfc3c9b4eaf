import { z } from "zod";
import type { Route } from "./route.ts";
import { readRoute } from "./route.ts";
import { scopes } from "./scope.ts";

const ownKey = z.strictObject({ id: z.string(), name: z.string(), scopes: z.array(z.enum(scopes)) });

export const keyRoutes: readonly Route[] = [
  readRoute({
    method: "GET",
    path: "/v1/key",
    scope: null,
    summary: "Tell what the API key of this request may do",
    answers: { 200: ownKey },
    read: async ({ caller }) => ({
      body: JSON.stringify({ id: caller.id, name: caller.name, scopes: [...caller.scopes] }),
    }),
  }),
];
