// The peers there can be, and those that are here.
import type { Case } from '../case.js';
import type { Job } from '../jobs/job.js';
import { blas } from './blas.js';
import { ort } from './ort.js';
import { type PeerCommand, PeerProcess } from './peer.js';
import { tfjs } from './tfjs.js';
import { torch } from './torch.js';

/** Why a peer is not there, and what would change that. */
export interface Absence {
  readonly reason: string;
  readonly install: string;
}

/** A library to compare with. */
export interface PeerKind {
  /** What `--peers` calls it. */
  readonly family: string;
  /** How its processes are started, or why there are none. */
  find(threads: number): Omit<PeerCommand, keyof PeerSetting>[] | Absence;
  /** Whether it computes on a GPU too. */
  readonly gpu?: boolean;
  /** In which of its ways it runs a case or a job; "" is the plain one, none: not at all. */
  modes(work: Case | Job, quick: boolean): string[];
}

const kinds: readonly PeerKind[] = [torch, ort, tfjs, blas];

export const families: readonly string[] = kinds.map((kind) => kind.family);

/** A peer that runs. */
export interface Peer {
  readonly kind: PeerKind;
  readonly process: PeerProcess;
  readonly version: string;
}

/** What a report says of a peer. */
export interface PeerEntry extends Partial<Absence> {
  readonly name: string;
  readonly version?: string;
}

/** What all peers of a run have in common. */
export type PeerSetting = Pick<PeerCommand, 'threads' | 'device' | 'precision' | 'folder' | 'patience'>;

/** Starts the peers that are asked for; those that are not there are entries with a reason. */
export async function startPeers(
  wanted: readonly string[],
  setting: PeerSetting,
): Promise<{ peers: Peer[]; entries: PeerEntry[] }> {
  const peers: Peer[] = [];
  const entries: PeerEntry[] = [];
  for (const kind of kinds.filter((k) => wanted.includes(k.family))) {
    if (setting.device !== 'cpu' && !kind.gpu) {
      entries.push({ name: kind.family, reason: 'it is compared on the CPU only', install: 'leave --device out' });
      continue;
    }
    const found = kind.find(setting.threads);
    if (!Array.isArray(found)) {
      entries.push({ name: kind.family, ...found });
      continue;
    }
    for (const command of found) {
      const peer = new PeerProcess({ ...command, ...setting });
      try {
        const version = await peer.version();
        peers.push({ kind, process: peer, version });
        entries.push({ name: command.name, version });
      } catch (error) {
        peer.kill();
        entries.push({ name: command.name, reason: (error as Error).message, install: 'see the message' });
      }
    }
  }
  return { peers, entries };
}
