import type { StubPart } from "./zendesk-stub.ts";
import { vendorTime } from "./zendesk-ticket.ts";

export interface StubRecord {
  readonly id: string;
  readonly external_id: string;
  name: string;
  custom_object_fields: Record<string, unknown>;
  updated_at: string;
}

export interface OrderRecords {
  /** By external id. */
  readonly records: Map<string, StubRecord>;
  readonly answer: StubPart;
}

/** Records of the custom object `order`: made or changed by external id. */
export function createOrderRecords(newId: () => number, now: () => number): OrderRecords {
  const records = new Map<string, StubRecord>();
  const path = "/api/v2/custom_objects/order/records";
  return {
    records,
    answer: (call) => {
      if (call.path === "/api/v2/custom_objects/order") {
        const object = { key: "order", title: "Order", title_pluralized: "Orders" };
        return { status: 200, body: { custom_object: object } };
      }
      if (call.path !== path) return undefined;
      if (call.method === "GET") {
        const wanted = call.query.get("filter[external_ids]")?.split(",") ?? [];
        const meta = { has_more: false, after_cursor: "", before_cursor: "" };
        const found = wanted.flatMap((id) => records.get(id) ?? []);
        return { status: 200, body: { custom_object_records: found, meta } };
      }
      const external = call.query.get("external_id");
      if (call.method !== "PATCH" || external === null) return undefined;
      const { custom_object_record: given } = call.body as { custom_object_record: Partial<StubRecord> };
      const held = records.get(external) ?? {
        id: `01${newId()}`,
        external_id: external,
        name: "",
        custom_object_fields: {},
        updated_at: "",
      };
      held.name = given.name ?? held.name;
      Object.assign(held.custom_object_fields, given.custom_object_fields);
      held.updated_at = vendorTime(now());
      records.set(external, held);
      return { status: 200, body: { custom_object_record: held } };
    },
  };
}
