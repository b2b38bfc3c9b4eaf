import { buildSchema } from "graphql";
import type { GraphQLSchema } from "graphql";

/** The part of the Admin API that the stub answers: names and types as in the vendor's own schema. */
export function createStubSchema(): GraphQLSchema {
  return buildSchema(/* GraphQL */ `
    scalar DateTime
    scalar Decimal
    scalar UnsignedInt64
    scalar URL
    enum OrderSortKeys {
      UPDATED_AT
      PROCESSED_AT
    }
    enum FulfillmentEventSortKeys {
      HAPPENED_AT
      ID
    }
    type Query {
      order(id: ID!): Order
      fulfillmentOrder(id: ID!): FulfillmentOrder
      orders(
        first: Int
        after: String
        query: String
        sortKey: OrderSortKeys = PROCESSED_AT
      ): OrderConnection!
      shop: Shop!
      currentAppInstallation: AppInstallation!
      publicApiVersions: [ApiVersion!]!
      webhookSubscriptions(first: Int): WebhookSubscriptionConnection!
    }
    type PageInfo {
      hasNextPage: Boolean!
      endCursor: String
    }
    type OrderConnection {
      nodes: [Order!]!
      pageInfo: PageInfo!
    }
    type MoneyV2 {
      amount: Decimal!
      currencyCode: String!
    }
    type MoneyBag {
      shopMoney: MoneyV2!
    }
    type Order {
      id: ID!
      name: String!
      createdAt: DateTime!
      updatedAt: DateTime!
      cancelledAt: DateTime
      closedAt: DateTime
      cancelReason: String
      displayFinancialStatus: String
      displayFulfillmentStatus: String!
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
      fulfillmentOrders(first: Int): FulfillmentOrderConnection!
      refunds(first: Int): [Refund!]!
    }
    type MailingAddress {
      name: String
      address1: String
      address2: String
      city: String
      provinceCode: String
      zip: String
      countryCodeV2: String
      phone: String
    }
    type Customer {
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
    type CustomerEmailAddress {
      emailAddress: String!
    }
    type CustomerPhoneNumber {
      phoneNumber: String!
    }
    type LineItemConnection {
      nodes: [LineItem!]!
    }
    type LineItem {
      id: ID!
      sku: String
      name: String!
      quantity: Int!
    }
    type Fulfillment {
      id: ID!
      status: String!
      updatedAt: DateTime!
      trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
      events(
        first: Int
        sortKey: FulfillmentEventSortKeys = HAPPENED_AT
        reverse: Boolean = false
      ): FulfillmentEventConnection!
    }
    type FulfillmentTrackingInfo {
      company: String
      number: String
      url: URL
    }
    type FulfillmentEventConnection {
      nodes: [FulfillmentEvent!]!
    }
    type FulfillmentEvent {
      id: ID!
      status: String!
      message: String
      happenedAt: DateTime!
      createdAt: DateTime!
      estimatedDeliveryAt: DateTime
    }
    type FulfillmentOrderConnection {
      nodes: [FulfillmentOrder!]!
    }
    type FulfillmentOrder {
      id: ID!
      updatedAt: DateTime!
      order: Order!
      fulfillmentHolds: [FulfillmentHold!]!
    }
    type FulfillmentHold {
      id: ID!
      reason: String!
      reasonNotes: String
    }
    type Refund {
      id: ID!
      note: String
      createdAt: DateTime
      totalRefundedSet: MoneyBag!
    }
    type Shop {
      name: String!
      myshopifyDomain: String!
    }
    type AppInstallation {
      accessScopes: [AccessScope!]!
    }
    type AccessScope {
      handle: String!
    }
    type ApiVersion {
      handle: String!
      supported: Boolean!
    }
    type WebhookSubscriptionConnection {
      nodes: [WebhookSubscription!]!
    }
    type WebhookSubscription {
      topic: String!
      uri: String!
    }
  `);
}
