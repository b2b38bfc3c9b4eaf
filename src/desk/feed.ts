import type { FeedPosition } from "./change.ts";
import { FeedTail } from "./feed-tail.ts";
import type { Change, ChangePage, ChangeRequest } from "./store/changes.ts";

/** Which of a stretch of changes a follower gets, in their order. It may look things up; called with one stretch at a time. */
export type FeedFilter = (changes: readonly Change[]) => Promise<readonly Change[]> | readonly Change[];

export interface FollowRequest {
  /** Undefined to begin with what happens from now on. */
  readonly after: FeedPosition | undefined;
  /** Undefined for all. */
  readonly types: readonly string[] | undefined;
  /** On top of `types`. */
  readonly filter?: FeedFilter;
  /** A batch comes at least this often, with no changes when there are none. */
  readonly idleMs: number;
  /** Ends the following, also while it waits. */
  readonly signal: AbortSignal;
}

/** Changes in their order, and the position that a follower who has seen them resumes from. */
export interface FeedBatch {
  readonly changes: readonly Change[];
  readonly end: FeedPosition;
}

/** The change feed of one process. */
export interface Feed {
  /** One page from the database. */
  readonly read: (request: ChangeRequest) => Promise<ChangePage>;
  /** The position of the newest change that may be read. */
  readonly end: () => Promise<FeedPosition>;
  /**
   * Batches without end, until the signal or `close`. The first one comes at once. Nothing is read ahead: whoever is slow to take the next
   * batch costs no memory and catches up from the database. All who are up to date share one reader of the table.
   */
  readonly follow: (request: FollowRequest) => AsyncGenerator<FeedBatch, void>;
  /** Says that something was written in this process, so that followers need not wait for the next look. */
  readonly wake: () => void;
  /** Ends everybody's following. */
  readonly close: () => void;
}

export interface FeedSource {
  readonly readChanges: (request: ChangeRequest) => Promise<ChangePage>;
  readonly feedEnd: () => Promise<FeedPosition>;
}

interface FeedOptions {
  readonly source: FeedSource;
  /** Called when the shared reader could not read; it tries again. */
  readonly onFault: (error: unknown) => void;
}

/** The most changes in a batch. */
const batchSize = 500;

/** Opens nothing and reads nothing until somebody follows. */
export function createFeed({ source, onFault }: FeedOptions): Feed {
  const closing = new AbortController();
  const tail = new FeedTail({ source, onFault, batchSize });

  async function* follow(request: FollowRequest): AsyncGenerator<FeedBatch, void> {
    const { types, filter, idleMs } = request;
    const signal = AbortSignal.any([request.signal, closing.signal]);
    const wanted = types === undefined ? undefined : new Set(types);
    const select = async (changes: readonly Change[]): Promise<readonly Change[]> => {
      const typed = wanted === undefined ? changes : changes.filter(({ type }) => wanted.has(type));
      return filter === undefined || typed.length === 0 ? typed : filter(typed);
    };
    if (signal.aborted) return;
    const leave = tail.join();
    try {
      let end = request.after ?? (await source.feedEnd());
      yield { changes: [], end };
      let quietSince = performance.now();
      while (!signal.aborted) {
        const page = tail.after(end) ?? (await source.readChanges({ after: end, types, limit: batchSize }));
        end = { tx: page.end.tx, id: page.end.id };
        const changes = await select(page.changes);
        const quietMs = performance.now() - quietSince;
        if (changes.length > 0 || quietMs >= idleMs) {
          yield { changes, end };
          quietSince = performance.now();
        } else if (!page.more) await tail.moved(end, idleMs - quietMs, signal);
      }
    } finally {
      leave();
    }
  }

  return {
    read: source.readChanges,
    end: source.feedEnd,
    follow,
    wake: () => tail.wake(),
    close: () => closing.abort(),
  };
}
