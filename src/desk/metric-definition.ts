/** The support metrics and what each of them says: for the answers of the API and for the reference page alike. */
export const metricDefinitions = {
  volume: "Tickets created in the bucket.",
  solved:
    "Tickets whose last solving (their status became solved or closed) was in the bucket and that have not been reopened since. Reopening a ticket takes it out of the bucket that it was counted in.",
  backlog:
    "Tickets that were neither solved nor closed at the end of the bucket, or are not now where it has not ended yet. A ticket that was reopened later was not open in between.",
  first_reply_time:
    "From a ticket's creation to its first reply, of tickets whose first reply was in the bucket. A reply is a public outbound message by an agent; what a ticket is opened with, internal notes and messages by the system are none.",
  full_resolution_time:
    "From a ticket's creation to its last solving, of the tickets that `solved` counts. Time in which the ticket was solved before it was reopened is part of it.",
  reopen_rate: "The share of the tickets that `solved` counts that had been reopened at least once.",
  one_touch_rate:
    "The share of the tickets that `solved` counts that were never reopened and have at most one reply, replies after their solving included.",
  csat: "Ratings given in the bucket, from 1 to 5: how many, their average, and the share of 4 and 5. A ticket has one rating; a later one takes its place and counts when it was given.",
} as const;

export type MetricName = keyof typeof metricDefinitions;
export const metricNames = Object.keys(metricDefinitions) as readonly MetricName[];

/** What holds for all metrics. */
export const generalDefinitions = {
  buckets:
    "A bucket counts what happened from its start up to, not including, its end. Buckets begin on the hour, at the start of the day or of Monday in the time zone, whatever the length that daylight saving gives them. `from` and `until` are rounded down to a quarter of an hour and may cut the first and the last bucket short.",
  late_changes:
    "Every figure is as of now. What happens late (a rating, a reopening, a tag or assignee, an order linked) changes the buckets that it concerns, however old; an answer holds every write that was acknowledged before the request.",
  groups:
    "A ticket counts in the groups that it belongs to now: in one for its channel, assignee and reason, in one for each of its tags, in one for each source of its orders. Null is the group of tickets that have none. The reason is the custom field `reason` where it has text, else the first tag of the ticket.",
  merged: "A ticket that was merged into another one counts nowhere, from its creation on.",
  durations:
    "In whole seconds, rounded down: calendar seconds are all of them, business seconds those within the business hours that were set when the reply was sent or the ticket solved. Averages are exact.",
  percentiles:
    "The p-th percentile is the smallest duration that at least p per cent of all do not exceed (nearest rank). Below 128 seconds it is exact; above, it is given as the middle of one of 64 equal steps between a power of two and the next, which is within 0.8 % of it.",
} as const;
