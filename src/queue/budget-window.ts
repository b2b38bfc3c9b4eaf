/** Weight by the time at which it is forgotten, in this process. Times are in milliseconds on any one clock. */
export class BudgetWindow {
  #spent: { readonly over: number; weight: number }[] = [];

  /** Adds weight that is forgotten at `over`; it must not lie before that of the addition before. What is forgotten together is one entry. */
  note(weight: number, over: number): void {
    if (weight <= 0) return;
    const last = this.#spent.at(-1);
    if (last?.over === over) last.weight += weight;
    else this.#spent.push({ over, weight });
  }

  /** All that is not forgotten yet. */
  used(now: number): number {
    const first = this.#spent.findIndex(({ over }) => over > now);
    this.#spent = first < 0 ? [] : this.#spent.slice(first);
    return this.#spent.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** How long until there is room for `weight` below `calls`; 0 when there is now. */
  waitMs(weight: number, calls: number, now: number): number {
    let free = calls - this.used(now);
    if (free >= weight) return 0;
    for (const { over, weight: freed } of this.#spent) {
      free += freed;
      if (free >= weight) return over - now;
    }
    return 0;
  }
}
