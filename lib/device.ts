// Where tensors live. Device 0 is the CPU; the others come from the CUDA module, which is loaded when somebody first asks
// for one: it starts the driver, which takes a good part of a second.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { context, defaultDevice, withModes } from './context.js';
import { fail, show } from './errors.js';
import { native } from './native.js';

/** The name of a device: "cpu", "cuda" (the first GPU) or "cuda:1" (the one of that number). */
export type DeviceName = 'cpu' | 'cuda' | `cuda:${number}`;

/** A device that tensors can live on, or why there is none of its kind. */
export interface DeviceInfo {
  /** What is passed as `device`: "cpu", "cuda:0". */
  readonly device: DeviceName;
  /** Whether tensors can live there. */
  readonly available: boolean;
  /** The product's name. */
  readonly name?: string;
  /** Bytes of memory that it has. */
  readonly memoryBytes?: number;
  /** Streaming multiprocessors, of a GPU. */
  readonly multiprocessors?: number;
  /** Bytes of the last cache before the memory, of a GPU. */
  readonly cacheBytes?: number;
  /** The version of its instruction set, of a GPU: "9.0" is Hopper. */
  readonly architecture?: string;
  /** Why it is not available. */
  readonly reason?: string;
}

const root = path.resolve(__dirname, '..');

/** Where the module may lie: ATHANOR_CUDA_MODULE alone when it is set, else a build here, else the package's own. */
function moduleFile(): string | undefined {
  const given = process.env.ATHANOR_CUDA_MODULE;
  if (given) return given;
  const places = ['build/Release', 'build/Debug', `prebuilds/${process.platform}-${process.arch}`];
  return places.map((place) => path.join(root, place, 'cuda/athanor_cuda.so')).find((file) => fs.existsSync(file));
}

let names: DeviceName[] = ['cpu'];
let reason: string | undefined; // why there is no CUDA device; undefined: not asked yet

/** Loads the module once; returns why there is no CUDA device, or "". */
function cudaReason(): string {
  if (reason !== undefined) return reason;
  const file = moduleFile();
  if (file === undefined) {
    reason = 'this build of athanor has no CUDA module (it is built where nvcc is found)';
  } else {
    reason = native.openDevices(file);
    names = ['cpu', ...native.devices().map(({ device }) => device)];
  }
  return reason;
}

/** The devices that tensors can live on here, the CPU first; where there is no GPU, an entry that says why. */
export function devices(): DeviceInfo[] {
  const [cpu] = os.cpus();
  const why = cudaReason();
  return [
    { device: 'cpu' as const, available: true, name: cpu?.model.trim() ?? 'cpu', memoryBytes: os.totalmem() },
    ...native.devices().map((device) => ({ ...device, available: true })),
    ...(why === '' ? [] : [{ device: 'cuda', available: false, reason: why } as const]),
  ];
}

/** The name of a device by its number. */
export function deviceName(index: number): DeviceName {
  return names[index];
}

/** The number of a device given by a caller ("cuda" is the first GPU). Throws when it is none, or is not available. */
export function checkDevice(op: string, device: unknown): number {
  if (device === 'cpu') return 0;
  const match = typeof device === 'string' ? /^cuda(?::(\d+))?$/.exec(device) : null;
  if (match === null) fail(op, 'device must be "cpu", "cuda" or "cuda:N"', show(device));
  const why = cudaReason();
  if (why !== '') fail(op, `there is no CUDA device: ${why}`, show(device));
  const ordinal = Number(match[1] ?? 0);
  if (ordinal + 1 >= names.length) fail(op, `there is no such device; there are ${names.join(', ')}`, show(device));
  return ordinal + 1;
}

/** Runs `fn`, whose new tensors are made on a device given by a caller (undefined: on the default one). */
export function onDevice<R>(op: string, device: unknown, fn: () => R): R {
  return device === undefined ? fn() : withModes({ device: checkDevice(op, device) }, fn);
}

/** The number of the device on which calls without tensors make theirs. */
export function currentDevice(): number {
  return context().device ?? defaultDevice.index;
}

/**
 * Makes tensors on this device wherever none is asked for: "cpu", "cuda" or "cuda:1". Throws, saying why, when it is not
 * available.
 */
export function setDefaultDevice(device: DeviceName): void {
  defaultDevice.index = checkDevice('setDefaultDevice', device);
}

/** Where tensors are made that no device is asked for. */
export function getDefaultDevice(): DeviceName {
  return names[defaultDevice.index];
}
