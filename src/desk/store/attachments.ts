import type { Pool } from "pg";
import { guarded } from "./fault.ts";

/** A secret that addresses for downloads are signed with. */
export interface LinkSecret {
  readonly id: number;
  readonly secret: Buffer;
}

/** What is needed to hand an attachment's bytes out. */
export interface StoredFile {
  readonly file: string;
  readonly filename: string;
  readonly contentType: string;
  readonly size: number;
}

/** What attachments need of the tables besides writing and finding. */
export interface AttachmentStore {
  /** Notes a file that is about to be written, so that it goes at `dueAt` unless it becomes an attachment. */
  readonly noteFile: (file: string, dueAt: Date) => Promise<void>;
  /** Whether a file counts as waste; waits for a write that is about to say otherwise. */
  readonly isWaste: (file: string) => Promise<boolean>;
  /** Forgets a file that was removed. */
  readonly forgetFile: (file: string) => Promise<void>;
  readonly findFile: (attachment: number) => Promise<StoredFile | undefined>;
  /** Forgets attachments that no message took before `looseBefore`; returns files that are due to be removed, `limit` at most. */
  readonly wastedFiles: (now: Date, looseBefore: Date, limit: number) => Promise<readonly string[]>;
  /** The live secrets, the one that signs first; `next` is taken up when it is time for a new one. */
  readonly linkSecrets: (next: Buffer) => Promise<readonly LinkSecret[]>;
}

export function createAttachmentStore(pool: Pool): AttachmentStore {
  return {
    noteFile: async (file, dueAt) => {
      const text = "insert into attachment_waste (file, due_at) values ($1, $2)";
      await guarded(() => pool.query(text, [file, dueAt]));
    },
    isWaste: async (file) => {
      const text = "select from attachment_waste where file = $1 for update";
      return (await guarded(() => pool.query(text, [file]))).rows.length > 0;
    },
    forgetFile: async (file) => {
      await guarded(() => pool.query("delete from attachment_waste where file = $1", [file]));
    },
    findFile: async (attachment) => {
      const text = `select file, filename, content_type as "contentType", size from attachment where id = $1`;
      const query = { name: "desk-file", text, values: [attachment] };
      return (await guarded(() => pool.query<StoredFile>(query))).rows[0];
    },
    wastedFiles: async (now, looseBefore, limit) => {
      await guarded(() => pool.query("select waste_loose_attachments($1)", [looseBefore]));
      const text = "select file from attachment_waste where due_at <= $1 order by due_at limit $2";
      const { rows } = await guarded(() => pool.query<{ readonly file: string }>(text, [now, limit]));
      return rows.map(({ file }) => file);
    },
    linkSecrets: async (next) => {
      const text = "select id, secret from link_secrets($1)";
      return (await guarded(() => pool.query<LinkSecret>(text, [next]))).rows;
    },
  };
}
