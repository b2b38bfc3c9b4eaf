import type { S3Client } from "@aws-sdk/client-s3";
import { AppError } from "../../errors.ts";
import { codeOfStatus } from "../http-fault.ts";
import { diskFault } from "./disk-fault.ts";
import type { BucketConfig } from "./file-sink-config.ts";

/** The client of a bucket. It tries a call three times where the server fails or cannot be reached. The client is large, so it is loaded here only. */
export async function openS3Client(bucket: BucketConfig): Promise<S3Client> {
  const { S3Client: Client } = await import("@aws-sdk/client-s3");
  const { region, endpoint, pathStyle, accessKeyId, secretAccessKey } = bucket;
  return new Client({
    region,
    forcePathStyle: pathStyle,
    // Servers other than AWS do not all know the checksums that the client would add.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  });
}

/** A fault of the bucket, or of this machine's disk, as an `AppError`. The server's words are left out: they may quote what was sent. */
export function s3Fault(error: unknown, doing: string): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const told = diskFault(error, doing);
  if (told !== error) return told;
  const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  if (status !== undefined) {
    return new AppError(codeOfStatus(status), `${doing}: the server answered ${status} ${name}`, {
      cause: error,
    });
  }
  if (name === "CredentialsProviderError") {
    const message = `${doing}: there is no credential; set accessKeyId and secretAccessKey, or give the machine a role`;
    return new AppError("target_unauthorized", message, { cause: error });
  }
  const code = name === "TimeoutError" ? "target_timeout" : "target_unavailable";
  return new AppError(code, `${doing}: the server cannot be reached (${name})`, { cause: error });
}
