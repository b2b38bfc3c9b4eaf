import type { CancelReason, HoldReason } from "./body.ts";
import type { Diary } from "./diary.ts";
import type { Dice } from "./dice.ts";
import type { ShopOrder } from "./order.ts";
import { ordersOfADay } from "./order.ts";

/** What happens to an order, and to how many orders of a day it does. */
interface Story {
  readonly name: string;
  readonly orders: number;
  readonly tell: (diary: Diary, order: ShopOrder, dice: Dice) => void;
}

const failures = [
  "The address could not be found",
  "Nobody was there to sign for it",
  "The parcel was damaged on the way",
  "The parcel was refused at the door",
];
const delays = [
  "Held up by weather at the depot",
  "Missed its connection at the depot",
  "Waiting for a free van at the depot",
];
const holds: readonly (readonly [HoldReason, string])[] = [
  ["incorrect_address", "The postcode does not belong to the town."],
  ["inventory_out_of_stock", "The last one broke while it was being packed."],
  ["high_risk_of_fraud", "The card and the parcel go to two countries."],
  ["awaiting_payment", "The bank transfer has not arrived."],
];
const shopCancels: readonly CancelReason[] = ["inventory", "fraud", "declined", "other"];

const ship = (diary: Diary): void => {
  diary.placed();
  diary.changed({ financialStatus: "paid", fulfillmentStatus: "fulfilled" });
};
const fail = (diary: Diary, order: ShopOrder, dice: Dice): void =>
  diary.reported("failure", `${dice.pick(failures)} (${order.city}).`);
const delay = (diary: Diary, order: ShopOrder, dice: Dice): void =>
  diary.reported("delayed", `${dice.pick(delays)} in ${order.city}.`);
const deliver = (diary: Diary): void => diary.reported("delivered", "Delivered.");

/** A day has every kind of story, whatever the seed; the seed says which orders they happen to and how they mix. */
const stories: readonly Story[] = [
  {
    name: "all goes well",
    orders: 8,
    tell: (diary) => {
      ship(diary);
      diary.changed({ note: "Gift wrapping, please." });
      deliver(diary);
    },
  },
  {
    name: "the delivery fails",
    orders: 11,
    tell: (diary, order, dice) => {
      ship(diary);
      fail(diary, order, dice);
    },
  },
  {
    name: "the delivery fails, and the report overtakes the order",
    orders: 2,
    tell: (diary, order, dice) => {
      fail(diary, order, dice);
      ship(diary);
    },
  },
  {
    name: "the delivery fails twice",
    orders: 6,
    tell: (diary, order, dice) => {
      ship(diary);
      fail(diary, order, dice);
      diary.changed({ note: "The customer was told." });
      diary.reported("failure", `The second attempt failed as well (${order.city}).`);
    },
  },
  {
    name: "late, but it arrives",
    orders: 8,
    tell: (diary, order, dice) => {
      ship(diary);
      delay(diary, order, dice);
      deliver(diary);
    },
  },
  {
    name: "late, then it fails",
    orders: 4,
    tell: (diary, order, dice) => {
      ship(diary);
      delay(diary, order, dice);
      fail(diary, order, dice);
    },
  },
  {
    name: "kept back for a while",
    orders: 8,
    tell: (diary, _order, dice) => {
      diary.placed();
      diary.changed({ financialStatus: "paid" });
      diary.held(...dice.pick(holds));
      diary.changed({ fulfillmentStatus: "fulfilled" });
    },
  },
  {
    name: "cancelled by the shop",
    orders: 5,
    tell: (diary, _order, dice) => {
      diary.placed();
      diary.changed({ financialStatus: "paid" });
      diary.cancelled(dice.pick(shopCancels));
    },
  },
  {
    name: "cancelled by the customer",
    orders: 4,
    tell: (diary) => {
      diary.placed();
      diary.changed({ financialStatus: "paid" });
      diary.cancelled("customer");
    },
  },
  {
    name: "its updates arrive in the wrong order",
    orders: 4,
    tell: (diary) => {
      diary.placed();
      diary.changedTwiceSwapped({ financialStatus: "paid" }, { fulfillmentStatus: "fulfilled" });
    },
  },
];

/** Tells each order's story into its diary. */
export function tellStories(
  dice: Dice,
  orders: readonly ShopOrder[],
  diaryOf: (order: ShopOrder) => Diary,
): void {
  const told = dice.shuffle(stories.flatMap((story) => Array.from({ length: story.orders }, () => story)));
  if (told.length !== ordersOfADay) throw new Error(`${told.length} stories for ${ordersOfADay} orders`);
  for (const [index, order] of orders.entries()) told[index]?.tell(diaryOf(order), order, dice);
}
