// Loaded before a process: its wall clock is off by so many milliseconds. Its monotonic clock is right, as that of any machine is.
const offMs = Number(process.env["CLOCK_OFF_MS"] ?? "0");
const RealDate = Date;

class ShiftedDate extends RealDate {
  constructor(...values: readonly unknown[]) {
    if (values.length === 0) super(RealDate.now() + offMs);
    else super(...(values as [number]));
  }
  static override now(): number {
    return RealDate.now() + offMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
