import { lookup } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { AppError } from "../errors.ts";

/** Keeps webhooks from being sent into the operator's own network. */
export interface WebhookAddresses {
  /** Throws `bad_request` for an address that may not be called, as far as the URL alone tells. */
  readonly check: (url: URL) => void;
  /**
   * Resolves a host's name for a connection and hands on only addresses that were checked, so that the connection goes to one of those and no
   * other. Fails with `AddressRefused` when any of the name's addresses may not be called.
   */
  readonly lookup: (host: string, options: LookupOptions, done: LookupDone) => void;
}

export type LookupDone = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

export type Resolve = (host: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;

/** The name of a webhook's host leads to where webhooks may not go. */
export class AddressRefused extends Error {}

const publicV6 = ipaddr.parseCIDR("2000::/3");

/** `allowed` are host names, addresses or ranges (`10.1.0.0/16`) that may be called all the same, and without TLS. */
export function createWebhookAddresses(
  allowed: readonly string[],
  resolve: Resolve = (host, done) => lookup(host, { all: true }, done),
): WebhookAddresses {
  const names = new Set(allowed.map((entry) => entry.toLowerCase()));
  // One machine by its three names.
  if (names.has("127.0.0.1") || names.has("::1")) names.add("localhost");
  const ranges = allowed.flatMap(rangeOf);
  const isAllowed = (host: string): boolean => {
    if (names.has(host)) return true;
    if (isIP(host) === 0) return false;
    const address = ipaddr.process(host);
    return ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
  };
  const isSafe = (address: string): boolean => isAllowed(address) || isPublic(address);

  return {
    check: (url) => {
      const host = hostOf(url);
      if (isAllowed(host)) return;
      if (url.protocol !== "https:") refuse("must be https");
      const isLocalName = host === "localhost" || /\.(localhost|local|internal)$/.test(host);
      if (isLocalName || (isIP(host) !== 0 && !isPublic(host))) refuse("leads into a private network");
    },
    lookup: (host, options, done) => {
      resolve(host, (error, addresses) => {
        if (error !== null) return done(error, []);
        const refused = !isAllowed(host.toLowerCase()) && addresses.some(({ address }) => !isSafe(address));
        if (refused || addresses.length === 0) {
          return done(new AddressRefused("the host's name leads into a private network"), []);
        }
        if (options.all === true) return done(null, addresses);
        const [first] = addresses as [LookupAddress];
        return done(null, first.address, first.family);
      });
    },
  };
}

/** The host of a URL without the brackets of IPv6 and the dot that a name may end with. */
export function hostOf(url: URL): string {
  return url.hostname.replaceAll(/^\[|\]$|\.$/g, "").toLowerCase();
}

function refuse(message: string): never {
  const fields = [{ path: "url", message }];
  throw new AppError("bad_request", `the body is not valid: url: ${message}`, { details: { fields } });
}

/** Only what is part of the public internet by the registries; what merely wraps another address is not. */
function isPublic(text: string): boolean {
  const address = ipaddr.process(text);
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || address.match(publicV6);
}

function rangeOf(entry: string): readonly [ipaddr.IPv4 | ipaddr.IPv6, number][] {
  const bare = entry.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) {
    const address = ipaddr.process(bare);
    return [[address, address.kind() === "ipv4" ? 32 : 128]];
  }
  return ipaddr.isValidCIDR(entry) ? [ipaddr.parseCIDR(entry)] : [];
}
