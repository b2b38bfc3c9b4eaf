/** A contact of the CRM. */
export interface Contact {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly phone: string | null;
  /** Counts its changes. */
  readonly version: number;
}

export type ContactFacts = Partial<Pick<Contact, "email" | "name" | "phone">>;

/** How a caller names a contact: by our id for it, by its e-mail address. */
export type ContactName = { readonly id: string } | { readonly email: string };

export interface Saved {
  readonly contact: Contact;
  readonly result: "created" | "updated" | "unchanged";
}

/** The CRM's contacts, in memory: what a database would be elsewhere. Calls `onChange` for every change. */
export class Contacts {
  readonly #all = new Map<string, Contact>();
  readonly #onChange: (contact: Contact) => void;

  constructor(onChange: (contact: Contact) => void) {
    this.#onChange = onChange;
  }

  list(): readonly Contact[] {
    return [...this.#all.values()];
  }

  /** Finds the contact, else makes it; undefined when it is not there and no address is given to make it with. */
  save(named: ContactName, facts: ContactFacts): Saved | undefined {
    const before = this.#find(named) ?? this.#find({ email: facts.email ?? "" });
    if (before === undefined) {
      const email = facts.email ?? ("email" in named ? named.email : undefined);
      if (email === undefined) return undefined;
      const id = String(this.#all.size + 1);
      return this.#keep(
        { id, email, name: facts.name ?? null, phone: facts.phone ?? null, version: 1 },
        "created",
      );
    }
    const after = { ...before, ...facts };
    const isSame = (["email", "name", "phone"] as const).every((fact) => after[fact] === before[fact]);
    if (isSame) return { contact: before, result: "unchanged" };
    return this.#keep({ ...after, version: before.version + 1 }, "updated");
  }

  #find(named: ContactName): Contact | undefined {
    if ("id" in named) return this.#all.get(named.id);
    return this.list().find(({ email }) => email === named.email.toLowerCase());
  }

  #keep(contact: Contact, result: Saved["result"]): Saved {
    const kept = { ...contact, email: contact.email.toLowerCase() };
    this.#all.set(kept.id, kept);
    this.#onChange(kept);
    return { contact: kept, result };
  }
}
