import type { LookupAddress } from "node:dns";
import { describe, expect, it } from "vitest";
import { AddressRefused, createWebhookAddresses } from "../../src/desk/webhook-address.ts";

function refusal(url: string, allowed: readonly string[] = []): string {
  try {
    createWebhookAddresses(allowed).check(new URL(url));
    return "taken";
  } catch (error) {
    return (error as Error).message;
  }
}

async function lookUp(
  addresses: readonly string[],
  allowed: readonly string[] = [],
  host = "hooks.example.com",
): Promise<unknown> {
  const found = addresses.map((address): LookupAddress => ({
    address,
    family: address.includes(":") ? 6 : 4,
  }));
  const guard = createWebhookAddresses(allowed, (_host, done) => done(null, found));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  guard.lookup(host, { all: true }, (error, result) => resolve(error ?? result));
  return promise;
}

const inside = [
  "127.0.0.1",
  "127.9.9.9",
  "0.0.0.0",
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "100.100.100.200",
  "192.0.0.1",
  "198.18.0.1",
  "192.0.2.1",
  "224.0.0.1",
  "255.255.255.255",
  "240.0.0.1",
  "[::1]",
  "[::]",
  "[fe80::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[::ffff:127.0.0.1]",
  "[::ffff:a9fe:a9fe]",
  "[::127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b:1::7f00:1]",
  "[2002:7f00:1::]",
  "[2001:0:1::1]",
  "[2001:db8::1]",
  "[ff02::1]",
];

describe("addresses of webhooks", () => {
  it.each(inside)("%s is refused, whether it stands in the URL or comes from a name", async (host) => {
    expect(refusal(`https://${host}/hook`)).toContain("private network");
    expect(await lookUp([host.replaceAll(/[[\]]/g, "")])).toBeInstanceOf(AddressRefused);
  });

  it("are refused in every way that a URL can write an address", () => {
    for (const host of [
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "0177.0.0.1",
      "127.1",
      "①②⑦.0.0.1",
      "localhost",
      "LOCALHOST",
      "localhost.",
      "127.0.0.1.",
      "printer.local.",
      "a.localhost",
      "printer.local",
      "metadata.google.internal",
    ]) {
      expect([host, refusal(`https://${host}/hook`)]).toEqual([
        host,
        expect.stringContaining("private network"),
      ]);
    }
  });

  it("of the public internet are taken with TLS", async () => {
    expect(refusal("https://hooks.example.com/")).toBe("taken");
    expect(refusal("https://93.184.216.34/")).toBe("taken");
    expect(refusal("https://[2606:2800:220:1::1]/")).toBe("taken");
    expect(refusal("http://hooks.example.com/")).toContain("must be https");
    expect(await lookUp(["93.184.216.34"])).toEqual([{ address: "93.184.216.34", family: 4 }]);
  });

  it("are refused when a single one of a name's addresses is inside", async () => {
    expect(await lookUp(["93.184.216.34", "10.0.0.1"])).toBeInstanceOf(AddressRefused);
    expect(await lookUp([])).toBeInstanceOf(AddressRefused);
  });

  it("on the list are taken: names, addresses and ranges", async () => {
    expect(refusal("http://127.0.0.1:3000/", ["127.0.0.1"])).toBe("taken");
    expect(refusal("http://[::ffff:127.0.0.1]/", ["127.0.0.1"])).toBe("taken");
    expect(refusal("http://127.0.0.2/", ["127.0.0.1"])).toContain("https");
    expect(refusal("http://localhost:3000/", ["localhost"])).toBe("taken");
    expect(refusal("http://localhost:3000/", ["127.0.0.1"])).toBe("taken");
    expect(await lookUp(["::1", "127.0.0.1"], ["127.0.0.1"], "localhost")).toHaveLength(2);
    expect(refusal("http://10.1.2.3/", ["10.1.0.0/16"])).toBe("taken");
    expect(refusal("https://10.2.2.3/", ["10.1.0.0/16"])).toContain("private network");
    expect(await lookUp(["10.1.2.3"], ["10.1.0.0/16"])).toHaveLength(1);
    expect(await lookUp(["10.1.2.3"], ["Hooks.example.com"])).toHaveLength(1);
    expect(await lookUp(["10.1.2.3"], ["other.example.com"])).toBeInstanceOf(AddressRefused);
  });
});
