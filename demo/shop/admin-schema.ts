/** The part of the vendor's Admin schema that the imaginary shop answers: enough to complete an event with its order and customer. */
export const adminSchema = /* GraphQL */ `
  scalar DateTime
  scalar Decimal
  scalar UnsignedInt64
  scalar URL

  type Query {
    order(id: ID!): Order
    fulfillmentOrder(id: ID!): FulfillmentOrder
  }

  interface Node {
    id: ID!
  }

  type Order implements Node {
    id: ID!
    name: String!
    createdAt: DateTime!
    updatedAt: DateTime!
    cancelledAt: DateTime
    closedAt: DateTime
    cancelReason: OrderCancelReason
    displayFinancialStatus: OrderDisplayFinancialStatus
    displayFulfillmentStatus: OrderDisplayFulfillmentStatus!
    email: String
    phone: String
    note: String
    tags: [String!]!
    customerLocale: String
    totalPriceSet: MoneyBag!
    shippingAddress: MailingAddress
    customer: Customer
    lineItems(first: Int): LineItemConnection!
    fulfillments(first: Int): [Fulfillment!]!
  }

  type Customer implements Node {
    id: ID!
    firstName: String
    lastName: String
    locale: String!
    numberOfOrders: UnsignedInt64!
    tags: [String!]!
    createdAt: DateTime!
    updatedAt: DateTime!
    defaultEmailAddress: CustomerEmailAddress
    defaultPhoneNumber: CustomerPhoneNumber
  }

  type Fulfillment implements Node {
    id: ID!
    trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
  }

  type FulfillmentTrackingInfo {
    company: String
    number: String
    url: URL
  }

  type FulfillmentOrder implements Node {
    id: ID!
    order: Order!
  }

  type CustomerEmailAddress {
    emailAddress: String!
  }

  type CustomerPhoneNumber {
    phoneNumber: String!
  }

  type MoneyBag {
    shopMoney: MoneyV2!
  }

  type MoneyV2 {
    amount: Decimal!
    currencyCode: CurrencyCode!
  }

  type MailingAddress implements Node {
    id: ID!
    name: String
    address1: String
    address2: String
    city: String
    provinceCode: String
    zip: String
    countryCodeV2: CountryCode
    phone: String
  }

  type LineItemConnection {
    nodes: [LineItem!]!
  }

  type LineItem implements Node {
    id: ID!
    sku: String
    name: String!
    quantity: Int!
  }

  enum OrderCancelReason {
    CUSTOMER
    DECLINED
    FRAUD
    INVENTORY
    OTHER
    STAFF
  }

  enum OrderDisplayFinancialStatus {
    PAID
    PENDING
    REFUNDED
  }

  enum OrderDisplayFulfillmentStatus {
    FULFILLED
    UNFULFILLED
  }

  enum CurrencyCode {
    EUR
  }

  enum CountryCode {
    DE
  }
`;
