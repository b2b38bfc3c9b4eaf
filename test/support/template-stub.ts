import type { Shipment } from "../../connectors/_template/shipment.ts";
import { openStubServer } from "./http-server.ts";
import type { StubServer } from "./http-server.ts";

export interface TemplateStub extends StubServer {
  readonly shipments: Shipment[];
}

/** The imaginary shop of the template, over HTTP: a list of shipments, three a page, oldest change first. */
export async function openTemplateStub(apiKey: string): Promise<TemplateStub> {
  const shipments: Shipment[] = [];
  const server = await openStubServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${apiKey}`) {
      response.writeHead(401).end('{"message":"unknown key"}');
      return undefined;
    }
    const from = Date.parse(request.url.searchParams.get("updated_from") ?? "1970-01-01");
    const to = Date.parse(request.url.searchParams.get("updated_to") ?? "2100-01-01");
    const skip = Number(request.url.searchParams.get("after") ?? 0);
    const rows = shipments
      .filter((one) => Date.parse(one.updatedAt) >= from && Date.parse(one.updatedAt) < to)
      .sort((a, b) => Date.parse(a.updatedAt) - Date.parse(b.updatedAt));
    const next = rows.length > skip + 3 ? String(skip + 3) : null;
    return { shipments: rows.slice(skip, skip + 3), next };
  });
  return { ...server, shipments };
}
