// The roofline laboratory: what the machine can do, and what a piece of code makes of it.
export type { ChromeTrace, TraceEvent } from './chrome.js';
export {
  type ComputeKind,
  type ComputeRoof,
  computeKind,
  type Machine,
  type MeasureOptions,
  type MemoryLevel,
  type MemoryRoof,
  measureMachine,
  type StreamKind,
} from './machine.js';
export { type LayerProfile, type Profile, type ProfileOptions, profile } from './profile.js';
export { type Roofline, type RooflineOptions, roofline } from './roofline.js';
export type { Roofs, Situation } from './roofs.js';
export type { Peak, Spread } from './statistics.js';
export { type BatchSweep, type BatchSweepOptions, batchSweep, type LayerSweep } from './sweep.js';
