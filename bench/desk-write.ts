/** What is written: tickets by ref, half of them new and half reported again; or messages in tickets that are there. */
export type WriteKind = "upserts" | "messages";

export interface Person {
  readonly email: string;
  readonly name: string;
}

/** One write, the same for the Support API and for bare SQL. */
export interface DeskWrite {
  /** Which ticket, by its ref. */
  readonly ticket: string;
  /** Unknown to the desk only where a new ticket has a new customer, which is every second one. */
  readonly requester: Person;
  readonly subject: string;
  readonly text: string;
  /** The message's ref, which makes it be said once; absent where messages are posted. */
  readonly messageRef: string | undefined;
}

export const refSource = "bench";

const words = "The parcel was to come on Monday and has not been seen since it left the warehouse. ";

/** Messages go to tickets that were written first, these many. */
export const ticketsForMessages = 500;

/** The writes `from` to `from + count - 1` of a run. A ticket is reported again 64 writes after it was made, so that no two clients are at it at once. */
export function deskWrites(run: string, kind: WriteKind, from: number, count: number): readonly DeskWrite[] {
  return Array.from({ length: count }, (_, index) => {
    const number = from + index;
    const ticket = kind === "messages" ? number % ticketsForMessages : ticketOf(number);
    const customer = customerOf(ticket);
    return {
      ticket: `${run}-${ticket}`,
      requester: { email: `${run}-${customer}@example.com`, name: `Customer ${customer}` },
      subject: `Order #${ticket} has not arrived`,
      text: `${words.repeat(3)}(${number})`,
      messageRef: kind === "messages" ? undefined : `${run}-${number}`,
    };
  });
}

const block = 64;

/** Of the tickets in a block the second half is by the customers of the first. */
function customerOf(ticket: number): number {
  return Math.floor(ticket / block) * (block / 2) + (ticket % (block / 2));
}

/** Writes go in blocks: one of new tickets, then one of the same tickets again. */
function ticketOf(number: number): number {
  const pair = Math.floor(number / (2 * block));
  return pair * block + (number % block);
}
