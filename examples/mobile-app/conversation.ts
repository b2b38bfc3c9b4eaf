// Runs in the app: in a browser, in a web view, in Node. Nothing but fetch.

/** A ticket as the person sees it who opened it. */
export interface Ticket {
  readonly id: string;
  readonly subject: string;
  readonly status: string;
}

export interface Message {
  readonly id: string;
  readonly ticket_id: string;
  readonly direction: "inbound" | "outbound";
  readonly text: string;
  readonly author: { readonly type: string; readonly name: string | null };
}

/** Something that happened in one of the person's own tickets, with the ticket or message as it is now. */
export interface OwnEvent {
  readonly id: string;
  readonly type: string;
  readonly ticket_id: string;
  readonly object: Ticket | Message;
}

export interface ConversationOptions {
  readonly deskUrl: string;
  /** Asks the app's back end for a token; called again when one has run out. */
  readonly fetchToken: () => Promise<string>;
}

/** A person's conversations with support, from inside the app. */
export class Conversation {
  readonly #options: ConversationOptions;
  #token: Promise<string> | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Opens a ticket. `attempt` names this try of the person's: tapped twice, one ticket is opened. */
  async open(text: string, attempt: string): Promise<Ticket> {
    return (await this.#send("POST", "/v1/me/tickets", { message: { text } }, attempt)) as Ticket;
  }

  async say(ticket: string, text: string, attempt: string): Promise<Message> {
    return (await this.#send("POST", `/v1/me/tickets/${ticket}/messages`, { text }, attempt)) as Message;
  }

  async messages(ticket: string): Promise<readonly Message[]> {
    const page = await this.#send("GET", `/v1/me/tickets/${ticket}/messages`);
    return (page as { readonly data: readonly Message[] }).data;
  }

  /**
   * What happens from now on, as it happens, until the signal. When the connection breaks (a tunnel, a phone in a pocket) it connects again and gets what it
   * missed. Calls `onListening` once nothing can be missed any more.
   */
  async *listen(
    signal: AbortSignal,
    onListening: () => void = () => undefined,
  ): AsyncGenerator<OwnEvent, void> {
    let lastId: string | undefined;
    while (!signal.aborted) {
      try {
        const answer = await this.#request("GET", "/v1/me/stream", { signal, lastId });
        if (answer.body === null) throw new Error("the stream has no body");
        for await (const block of blocksOf(answer.body)) {
          lastId = block.id ?? lastId;
          onListening();
          if (block.data !== undefined) yield JSON.parse(block.data) as OwnEvent;
        }
      } catch (error) {
        if (error instanceof Refusal || signal.aborted) throw error;
      }
      await pauseFor(1000, signal);
    }
  }

  async #send(method: string, path: string, body?: object, attempt?: string): Promise<unknown> {
    const answer = await this.#request(method, path, { body, attempt });
    return answer.json();
  }

  async #request(method: string, path: string, details: Details): Promise<Response> {
    for (let isFirst = true; ; isFirst = false) {
      this.#token ??= this.#options.fetchToken();
      const answer = await fetch(
        new URL(path, this.#options.deskUrl),
        init(method, await this.#token, details),
      );
      if (answer.ok) return answer;
      // A token lives for an hour; the next one is asked for when the desk no longer takes it.
      this.#token = undefined;
      if (answer.status === 401 && isFirst) continue;
      if (answer.status >= 500) throw new Error(`the desk answered ${answer.status}`);
      throw new Refusal(answer.status);
    }
  }
}

interface Details {
  readonly body?: object | undefined;
  readonly attempt?: string | undefined;
  readonly lastId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

function init(method: string, token: string, { body, attempt, lastId, signal }: Details): RequestInit {
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (attempt !== undefined) headers["idempotency-key"] = attempt;
  if (lastId !== undefined) headers["last-event-id"] = lastId;
  return {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** The desk said no, and would say so again. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the desk answered ${status}`);
    this.status = status;
  }
}

interface Block {
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/** The blocks of a stream of Server-Sent Events, comments too: they carry the place in the stream. */
async function* blocksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Block, void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) yield { id: lineOf(block, "id: "), data: lineOf(block, "data: ") };
  }
}

function lineOf(block: string, name: string): string | undefined {
  return block
    .split("\n")
    .find((line) => line.startsWith(name))
    ?.slice(name.length);
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
