import type { Dice } from "./dice.ts";

/** Someone who bought something; invented, at a domain that nobody can have. */
export interface ShopCustomer {
  readonly id: number;
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
  readonly tags: readonly string[];
}

/** An order as it was placed. Ids are numbers, as the vendor's are. */
export interface ShopOrder {
  readonly id: number;
  /** What the customer sees, such as #1001. */
  readonly name: string;
  readonly number: number;
  readonly customer: ShopCustomer;
  readonly totalMinor: number;
  readonly currency: string;
  readonly items: readonly { readonly id: number; readonly title: string; readonly sku: string }[];
  readonly city: string;
  readonly fulfillmentId: number;
  readonly fulfillmentOrderId: number;
  /** Milliseconds since the epoch. */
  readonly placedAt: number;
}

export const ordersOfADay = 60;
const firstOrderNumber = 1001;
const minuteMs = 60_000;

const firstNames = [
  "Amara",
  "Bruno",
  "Chiara",
  "Dmitri",
  "Elif",
  "Farah",
  "Goran",
  "Hana",
  "Imani",
  "Jonas",
  "Keiko",
  "Lucía",
  "Mateo",
  "Nadia",
  "Oskar",
  "Priya",
  "Quentin",
  "Rosa",
  "Søren",
  "Tomas",
];
const lastNames = [
  "Okafor",
  "Almeida",
  "Conti",
  "Volkov",
  "Demir",
  "Haddad",
  "Novak",
  "Sato",
  "Mwangi",
  "Lindqvist",
  "Tanaka",
  "Ortega",
  "Silva",
  "Rahman",
  "Nilsen",
  "Iyer",
  "Dubois",
  "Marin",
  "Holm",
  "Zieliński",
];
const goods = [
  "Enamel kettle",
  "Walnut tray",
  "Linen apron",
  "Cast-iron pan",
  "Stoneware bowl",
  "Bread knife",
  "Olive-wood spoon",
  "Pepper mill",
  "Copper jug",
  "Wool blanket",
];
const cities = ["Leeds", "Lyon", "Porto", "Turin", "Graz", "Malmö", "Gdańsk", "Ghent", "Split", "Cork"];

/** The orders of one day, placed in the morning. Ids grow from `firstId`, so days of different seeds do not meet in one database. */
export function createOrders(dice: Dice, firstId: number, dayStart: number): readonly ShopOrder[] {
  return Array.from({ length: ordersOfADay }, (_, index) => createOrder(dice, firstId, dayStart, index));
}

function createOrder(dice: Dice, firstId: number, dayStart: number, index: number): ShopOrder {
  // A thousand ids an order leave room for its events and lines.
  const id = firstId + index * 1000;
  const number = firstOrderNumber + index;
  const items = Array.from({ length: 1 + dice.below(3) }, (_, line) => {
    const title = dice.pick(goods);
    return {
      id: id + 100 + line,
      title,
      sku: `${title.replaceAll(/[^A-Za-z]/g, "").toUpperCase()}-${line + 1}`,
    };
  });
  return {
    id,
    name: `#${number}`,
    number,
    customer: createCustomer(dice, id + 1, number),
    totalMinor: 1500 + dice.below(60_000),
    currency: "EUR",
    items,
    city: dice.pick(cities),
    fulfillmentId: id + 2,
    fulfillmentOrderId: id + 3,
    placedAt: dayStart + (7 * 60 + index * 3) * minuteMs,
  };
}

function createCustomer(dice: Dice, id: number, number: number): ShopCustomer {
  const firstName = dice.pick(firstNames);
  const lastName = dice.pick(lastNames);
  return {
    id,
    firstName,
    lastName,
    // The number keeps two people of one name apart.
    email: `${mailName(firstName)}.${mailName(lastName)}.${number}@example.com`,
    tags: dice.below(6) === 0 ? ["vip"] : [],
  };
}

function mailName(name: string): string {
  return name
    .normalize("NFD")
    .replaceAll("ø", "o")
    .replaceAll("ł", "l")
    .replaceAll(/[^A-Za-z]/g, "")
    .toLowerCase();
}
