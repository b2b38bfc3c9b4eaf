import type { StubAnswer, StubCall, StubPart } from "./zendesk-stub.ts";
import { vendorTime } from "./zendesk-ticket.ts";

export interface StubUser {
  readonly id: number;
  name: string;
  email: string | undefined;
  phone: string | undefined;
  externalId: string | undefined;
  fields: Record<string, unknown>;
  isSuspended?: boolean;
  isDeleted?: boolean;
  role?: string;
  /** In milliseconds since the epoch. */
  createdAt?: number;
  updatedAt?: number;
}

interface UserWrite {
  readonly name?: string;
  readonly email?: string;
  readonly phone?: string;
  readonly external_id?: string;
  readonly user_fields?: Readonly<Record<string, unknown>>;
}

export interface People {
  readonly users: StubUser[];
  readonly answer: StubPart;
  /** The user with this address, made when there is none. */
  readonly byEmail: (email: string, name: string) => StubUser;
  readonly find: (id: number) => StubUser | undefined;
  /** Users that searches do not show yet. */
  readonly unindexed: Set<number>;
  /** What an agent does to a user at a time; a user who is not there is made. */
  readonly sets: (facts: Partial<StubUser> & { readonly email: string }, at: number) => StubUser;
}

/** The users of the account: found by search, told apart by address and external id, never by number. */
export function createPeople(newId: () => number): People {
  const users: StubUser[] = [];
  const unindexed = new Set<number>();
  const same = (one: string | undefined, other: string | undefined): boolean =>
    one !== undefined && one.toLowerCase() === other?.toLowerCase();
  const make = (facts: Partial<StubUser>): StubUser => {
    const user = {
      id: newId(),
      name: "",
      email: undefined,
      phone: undefined,
      externalId: undefined,
      fields: {},
      ...facts,
    };
    users.push(user);
    return user;
  };
  const search = ({ query }: StubCall): StubAnswer => {
    const external = query.get("external_id") ?? undefined;
    const [, kind, text] = /^(email|phone):(.+)$/.exec(query.get("query") ?? "") ?? [];
    const found = users.filter((user) => {
      if (external !== undefined) return same(user.externalId, external);
      if (unindexed.has(user.id)) return false;
      // Like the vendor's, the search finds parts of a value as well.
      if (kind === "email") return user.email?.toLowerCase().includes(text?.toLowerCase() ?? "\n") === true;
      return kind === "phone" && (user.phone ?? "").replaceAll(/\D/g, "").includes(text ?? "\n");
    });
    return { status: 200, body: { users: found.map(shown), count: found.length, next_page: null } };
  };
  const write = (user: StubUser, given: UserWrite): StubAnswer | undefined => {
    const other = users.find(
      (one) => one !== user && (same(one.email, given.email) || same(one.externalId, given.external_id)),
    );
    if (other !== undefined) {
      const what = same(other.email, given.email) ? "email" : "external_id";
      return invalid({
        [what]: [{ description: "is already being used by another user", error: "DuplicateValue" }],
      });
    }
    user.name = given.name ?? user.name;
    user.email ??= given.email;
    user.phone = given.phone ?? user.phone;
    user.externalId = given.external_id ?? user.externalId;
    Object.assign(user.fields, given.user_fields);
    return undefined;
  };
  const upsert = ({ body }: StubCall): StubAnswer => {
    const given = (body as { user?: UserWrite } | undefined)?.user ?? {};
    const held = users.find(
      (user) => same(user.externalId, given.external_id) || same(user.email, given.email),
    );
    if (held === undefined && (given.name ?? "") === "") {
      return invalid({ name: [{ description: "Name: cannot be blank", error: "BlankValue" }] });
    }
    const user = held ?? make({});
    return write(user, given) ?? { status: held === undefined ? 201 : 200, body: { user: shown(user) } };
  };
  const answer: StubPart = (call) => {
    const route = `${call.method} ${call.path}`;
    if (route === "GET /api/v2/users/search") return search(call);
    if (route === "GET /api/v2/users/show_many") {
      const ids = (call.query.get("ids") ?? "").split(",").map(Number);
      const found = users.filter(({ id, isDeleted }) => ids.includes(id) && isDeleted !== true);
      return { status: 200, body: { users: found.map(shown), count: found.length } };
    }
    if (route === "POST /api/v2/users/create_or_update") return upsert(call);
    const [, id] = /^PUT \/api\/v2\/users\/(\d+)$/.exec(route) ?? [];
    if (id === undefined) return undefined;
    const user = users.find((one) => one.id === Number(id));
    if (user === undefined)
      return { status: 404, body: { error: "RecordNotFound", description: "Not found" } };
    const given = (call.body as { user?: UserWrite } | undefined)?.user ?? {};
    return write(user, given) ?? { status: 200, body: { user: shown(user) } };
  };
  return {
    users,
    answer,
    unindexed,
    find: (id) => users.find((user) => user.id === id),
    sets: (facts, at) => {
      const user =
        users.find(({ email }) => same(email, facts.email)) ?? make({ name: "Ada", createdAt: at });
      return Object.assign(user, facts, { updatedAt: at });
    },
    byEmail: (email, name) => users.find((user) => same(user.email, email)) ?? make({ email, name }),
  };
}

export function invalid(details: Readonly<Record<string, unknown>>): StubAnswer {
  return { status: 422, body: { error: "RecordInvalid", description: "Record validation errors", details } };
}

/** The user as the vendor shows them. */
export function shown(user: StubUser): object {
  const {
    id,
    name,
    email,
    phone,
    externalId,
    fields,
    isSuspended,
    createdAt = 0,
    updatedAt = createdAt,
  } = user;
  return {
    id,
    name,
    email: email ?? null,
    phone: phone ?? null,
    external_id: externalId ?? null,
    user_fields: fields,
    role: user.role ?? "end-user",
    active: user.isDeleted !== true,
    created_at: vendorTime(createdAt),
    updated_at: vendorTime(updatedAt),
    suspended: isSuspended === true,
  };
}
