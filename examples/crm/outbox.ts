import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Contact } from "./contacts.ts";

interface OutboxOptions {
  /** The hook of the deskbridge that keeps us in step with the desk. */
  readonly url: string;
  /** `whsec_` and base64, as Standard Webhooks writes secrets. */
  readonly secret: string;
}

interface News {
  readonly id: string;
  readonly body: string;
}

const restMs = 1000;

/** Tells deskbridge of changed contacts, one after the other, and again until it has taken them. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: News[] = [];
  #isSending = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(contact: Contact): void {
    // Told again, it is the same event: deskbridge takes it once.
    const id = `contact-${contact.id}-${contact.version}`;
    const body = JSON.stringify({ id, type: "contact.changed", time: new Date().toISOString(), contact });
    this.#waiting.push({ id, body });
    if (!this.#isSending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    for (let news = this.#waiting[0]; news !== undefined; news = this.#waiting[0]) {
      const isTaken = await this.#post(news);
      if (isTaken) this.#waiting.shift();
      else await pause(restMs);
    }
    this.#isSending = false;
  }

  async #post({ id, body }: News): Promise<boolean> {
    const { url, secret } = this.#options;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    };
    try {
      const answer = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(10_000) });
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  }
}
