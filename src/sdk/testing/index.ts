export * from "./conformance.ts";
export * from "./context.ts";
export * from "./desk.ts";
export * from "./desk-proxy.ts";
export * from "./effect-memory.ts";
export * from "./event-check.ts";
export * from "./source.ts";
export { createTokenMemory } from "../token.ts";
export * from "./webhook.ts";
