/** A ticket that the day must lead to. */
export interface ExpectedTicket {
  /** The key that the flow gives it. */
  readonly key: string;
  readonly order: string;
  readonly subject: string;
  readonly requester: string;
  /** Texts of its messages, oldest first. */
  readonly messages: readonly string[];
}

/** How an order must stand on the desk when the day is over. */
export interface ExpectedOrder {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

/** What a day of a shop implies, whatever the order in which its webhooks are worked on. */
export interface Expectation {
  readonly sent: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly tickets: readonly ExpectedTicket[];
  readonly orders: readonly ExpectedOrder[];
}
