import { z } from "zod";

const secret = z.string().min(1);

export const config = z.strictObject({
  baseUrl: z.url().describe("Address of the shop's API, such as https://api.example.com."),
  apiKey: secret.describe("Key for reading the API."),
  webhookSecret: z
    .union([secret, z.array(secret).min(1).max(2)])
    .describe("Secret that webhooks are signed with; two while one replaces the other."),
});
