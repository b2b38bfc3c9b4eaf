import { describe, expect, it } from "vitest";
import { createRoom } from "../../src/jobs/room.ts";

/** Notes who was let in, in order. */
function visitors(room: ReturnType<typeof createRoom>) {
  const inside: string[] = [];
  const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  return {
    inside,
    settled,
    arrive: (name: string, lanes: number): void => void room.enter(lanes).then(() => inside.push(name)),
  };
}

describe("a room for lanes", () => {
  it("lets in what fits and keeps the rest waiting in the order of arrival", async () => {
    const room = createRoom(10, 10);
    const { inside, settled, arrive } = visitors(room);
    arrive("a", 6);
    arrive("b", 5);
    arrive("c", 1);
    await settled();
    expect(inside).toEqual(["a"]);
    room.leave(6);
    await settled();
    expect(inside).toEqual(["a", "b", "c"]);
  });

  it("once full, lets nobody in until it is down to its low mark, and then all that fit together", async () => {
    const room = createRoom(10, 4);
    const { inside, settled, arrive } = visitors(room);
    arrive("a", 10);
    arrive("b", 3);
    arrive("c", 3);
    arrive("d", 3);
    room.leave(5);
    await settled();
    expect(inside).toEqual(["a"]);
    room.leave(1);
    await settled();
    expect(inside).toEqual(["a", "b", "c"]);
  });

  it("lets in one that is larger than the room when nobody else is there", async () => {
    const room = createRoom(10, 4);
    const { inside, settled, arrive } = visitors(room);
    arrive("large", 50);
    arrive("next", 1);
    await settled();
    expect(inside).toEqual(["large"]);
    room.leave(50);
    await settled();
    expect(inside).toEqual(["large", "next"]);
  });

  it("lets everybody in once it is lifted", async () => {
    const room = createRoom(1, 0);
    const { inside, settled, arrive } = visitors(room);
    arrive("a", 1);
    arrive("b", 5);
    room.lift();
    arrive("c", 5);
    await settled();
    expect(inside).toEqual(["a", "b", "c"]);
  });
});
