import { AppError } from "../../errors.ts";
import type { CommitRecord, Manifest } from "./manifest.ts";
import { readManifest, readRecord, writeManifest } from "./manifest.ts";
import type { TableFiles } from "./table-files.ts";
import { recordName, stagingName } from "./table-files.ts";

/**
 * Makes a commit true: the record, the files, the manifest, in this order. Before the record is there, nothing has happened; from then on all of it happens,
 * here or in `finishCommit` of a later process.
 */
export async function publish(files: TableFiles, record: CommitRecord): Promise<void> {
  await requireSame(files, record.manifest.commit - 1);
  await files.write(recordName, JSON.stringify(record));
  await carryOut(files, record);
}

/** Carries out a commit that a process has decided on and not finished, and removes what another had not decided on. Gives back the manifest as it is then. */
export async function finishCommit(files: TableFiles): Promise<Manifest | undefined> {
  const record = await readRecord(files);
  // A record is of ours only where the manifest is, and that is looked at first.
  const manifest = await readManifest(files);
  if (record === undefined) return manifest;
  if (manifest !== undefined && record.manifest.commit === manifest.commit + 1) {
    await carryOut(files, record);
    await requireFiles(files, record);
    return record.manifest;
  }
  await files.remove([recordName]);
  return manifest;
}

async function carryOut(files: TableFiles, record: CommitRecord): Promise<void> {
  await files.publish(record.moves);
  await files.remove(record.removals);
  await requireSame(files, record.manifest.commit - 1);
  await writeManifest(files, record.manifest);
  // The record first: what is left of the folder then is nothing but rubbish.
  await files.remove([recordName]);
  await files.removeFolder(stagingName);
}

/** A run that was overtaken finds that there have been other commits since it began. */
export async function requireSame(files: TableFiles, commit: number): Promise<void> {
  const now = await readManifest(files);
  if (now?.commit === commit) return;
  throw new AppError("lease_lost", `${files.place}: another run has committed meanwhile; this one stops`);
}

async function requireFiles(files: TableFiles, { manifest, moves }: CommitRecord): Promise<void> {
  const listed = await files.list();
  const moved = new Set(moves.map(({ to }) => to));
  const wrong = manifest.files.find(
    ({ path, bytes }) => moved.has(path) && listed.get(path)?.bytes !== bytes,
  );
  if (wrong === undefined) return;
  throw new AppError(
    "target_rejected",
    `${files.place}/${wrong.path} is not what a commit left there that broke off; move the folder away and export everything anew`,
  );
}
