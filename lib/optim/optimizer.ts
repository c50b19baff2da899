import { withModes } from '../context.js';
import type { DType } from '../dtype.js';
import { fail, show } from '../errors.js';
import { keep } from '../memory.js';
import { filled } from '../ops/filled.js';
import { checkFlag, checkOptions, withDefaults } from '../options.js';
import { isContiguous, sameShape } from '../shape.js';
import type { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import { loadState, type OptimizerState, saveState } from './state.js';

/** What all optimizers have: a learning rate that may change from step to step. */
export interface Hyperparameters {
  lr: number;
}

/** Parameters that share hyperparameters. Changing a field takes effect on the next step. */
export type ParamGroup<H extends Hyperparameters> = H & {
  readonly params: readonly Tensor[];
  /** The learning rate that schedules start from; set by the first schedule. */
  initialLr?: number;
};

/** Parameters with hyperparameters of their own; what is not given is as for the other groups. */
export type GroupOptions<H extends Hyperparameters> = Partial<H> & { readonly params: Iterable<Tensor> };

/** What an optimizer learns: parameters, or groups of them. */
export type Learnable<H extends Hyperparameters> = Iterable<Tensor> | Iterable<GroupOptions<H>>;

/** What an optimizer remembers of one parameter: its steps so far, and tensors by name. */
export interface ParamState {
  step: number;
  /** Whether one of the tensors was made for the step that is coming. */
  fresh: boolean;
  readonly tensors: Record<string, Tensor>;
}

/** What one native call updates, kept from step to step. */
interface Batch {
  readonly params: Tensor[];
  readonly states: ParamState[];
  readonly tensors: readonly (readonly Tensor[])[];
}

/** The batches of a group, and what they depend on: as long as that stays, so do they. */
interface Plan {
  /** Parameters with a gradient, in order, and their memory and states. */
  readonly params: readonly Tensor[];
  readonly storages: readonly Storage[];
  readonly states: readonly ParamState[];
  readonly names: string;
  readonly batches: readonly Batch[];
}

/** Parameters of one native call: more would not fit its command block. */
const batchSize = 256;

function checkParam(op: string, p: unknown): Tensor {
  if (!(p instanceof Tensor)) fail(op, 'parameters must be tensors', show(p));
  if (p.dtype === 'bfloat16') {
    fail(op, 'bfloat16 is too coarse for small steps; learn float32 parameters and cast them in forward', p.describe());
  }
  if (!p.isFloat) fail(op, 'parameters must be float32 or float64', p.describe());
  if (!p.isLeaf) fail(op, 'parameters must be leaves, not results of recorded ops', p.describe());
  if (p.disposed) fail(op, 'the parameter was disposed of', p.describe());
  return p;
}

/** The defaults with what a caller gave in their place; lists are copied, so nobody else's change with them. Throws for a name that is not among them. */
function merge<H extends object>(op: string, defaults: H, given: Partial<H>): H {
  checkOptions<Partial<H>>(op, given, Object.keys(defaults) as (keyof H & string)[]);
  const values: [string, unknown][] = Object.entries(withDefaults(defaults, given));
  return Object.fromEntries(values.map(([name, value]) => [name, Array.isArray(value) ? [...value] : value])) as H;
}

/** Throws for wrong hyperparameters. As a method's type, which lets every optimizer pass for one of no particular kind. */
type Check<H> = { check(op: string, values: H): void }['check'];

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Iterable<unknown> | null)?.[Symbol.iterator] === 'function';
}

/**
 * The base of all optimizers: holds groups of parameters and what is remembered of each, and updates those that have a
 * gradient in fused native steps. To write another one, extend it: give the names of its states and an `update`.
 */
export abstract class Optimizer<H extends Hyperparameters = Hyperparameters> {
  /** The groups; their hyperparameters may be changed between steps. */
  readonly paramGroups: ParamGroup<H>[] = [];
  /** @internal */ readonly states = new Map<Tensor, ParamState>();

  private readonly defaults: H;
  private readonly plans = new WeakMap<ParamGroup<H>, Plan>();

  /**
   * `defaults` has every hyperparameter, `options` those given by the user; `check` throws for wrong ones. Throws also when
   * there are no parameters, when one occurs twice, or when one is not a leaf of a float dtype.
   */
  protected constructor(
    params: Learnable<H>,
    defaults: H,
    options: Partial<H>,
    private readonly check: Check<H>,
  ) {
    const op = this.constructor.name;
    this.defaults = merge(op, defaults, options);
    this.check(op, this.defaults);
    if (!isIterable(params)) fail(op, 'parameters must be an array of tensors or of groups', show(params));
    const items = [...params];
    if (items.length === 0) fail(op, 'there are no parameters to learn', '[]');
    const groups = items.every((item) => typeof item === 'object' && item !== null && 'params' in item);
    const list = groups ? items : [{ params: items }];
    for (const group of list) this.addParamGroup(group as GroupOptions<H>);
  }

  /** Adds parameters, with hyperparameters of their own where given. Throws as the constructor does; adds nothing then. */
  addParamGroup(group: GroupOptions<H>): void {
    const op = this.constructor.name;
    if (typeof group !== 'object' || group === null || !isIterable(group.params)) {
      fail(op, 'a group must have params, an array of tensors', show(group));
    }
    const { params, ...own } = group;
    const values = merge(op, this.defaults, own as unknown as Partial<H>);
    this.check(op, values);
    const list = [...params].map((p) => checkParam(op, p));
    const known = new Set(this.paramGroups.flatMap((g) => g.params));
    for (const [i, p] of list.entries()) {
      if (known.has(p)) fail(op, 'a parameter occurs twice', `number ${i} of its group, ${p.describe()}`);
      known.add(p);
    }
    this.paramGroups.push({ ...values, params: list });
  }

  /** The learning rate: the first group's. Setting it sets that of every group. */
  get lr(): number {
    return this.paramGroups[0].lr;
  }

  set lr(value: number) {
    checkNumber(this.constructor.name, 'lr', value);
    for (const group of this.paramGroups) group.lr = value;
  }

  /** Names of the tensors that are remembered of each parameter of a group. */
  protected abstract stateNames(group: H): readonly string[];

  /** What a state's elements are at first: 0 unless overridden. */
  protected initialState(_group: H): number {
    return 0;
  }

  /**
   * Updates parameters of one dtype that all have a gradient, in place. `states[i]` has what is remembered of `params[i]`,
   * its `step` counting this one; `tensors` are the remembered ones, kind by kind in the order of {@link stateNames}, each a
   * list over parameters. Gradients are not recorded here.
   */
  protected abstract update(
    group: ParamGroup<H>,
    params: readonly Tensor[],
    states: readonly ParamState[],
    tensors: readonly (readonly Tensor[])[],
  ): void;

  private advance(p: Tensor, group: ParamGroup<H>, names: readonly string[]): ParamState {
    let state = this.states.get(p);
    if (state === undefined) {
      state = { step: 0, fresh: false, tensors: {} };
      this.states.set(p, state);
    }
    const { tensors } = state;
    const missing = names.filter((name) => !(name in tensors));
    for (const name of missing) tensors[name] = keep(filled(p.shape, this.initialState(group), p.dtype, p));
    state.fresh = missing.length > 0;
    return state;
  }

  /** Whether the group's batches are those of its last step: the same parameters, memory and states. */
  private holds(plan: Plan | undefined, group: ParamGroup<H>, names: string): plan is Plan {
    if (plan === undefined || plan.names !== names) return false;
    let n = 0;
    for (const p of group.params) {
      if (p.grad === null) continue;
      if (plan.params[n] !== p || plan.storages[n] !== p.storage || plan.states[n] !== this.states.get(p)) return false;
      n++;
    }
    return n === plan.params.length;
  }

  private planOf(group: ParamGroup<H>): Plan {
    const stateNames = this.stateNames(group);
    const names = stateNames.join();
    const last = this.plans.get(group);
    if (this.holds(last, group, names)) {
      for (const state of last.states) state.fresh = false;
      return last;
    }
    const params = group.params.filter((p) => p.grad !== null);
    const states = params.map((p) => this.advance(p, group, stateNames));
    const plan = {
      params,
      storages: params.map((p) => p.storage),
      states,
      names,
      batches: batches(params).map((own) => {
        const ownStates = own.map((p) => this.states.get(p) as ParamState);
        const tensors = stateNames.map((name) => ownStates.map((state) => state.tensors[name]));
        return { params: own, states: ownStates, tensors };
      }),
    };
    this.plans.set(group, plan);
    return plan;
  }

  /** Throws, before anything is changed, for what would fail half-way. */
  private checkStep(group: ParamGroup<H>): void {
    const op = `${this.constructor.name}.step`;
    this.check(op, group);
    for (const p of group.params) {
      // Without a gradient too: a model that was converted has other parameters now, and would never learn.
      if (p.disposed) fail(op, 'the parameter was disposed of', p.describe());
      if (p.grad === null) continue;
      if (p.grad.disposed) fail(op, 'the gradient was disposed of', `gradient of ${p.describe()}`);
      if (!sameShape(p.grad.shape, p.shape) || p.grad.dtype !== p.dtype) {
        fail(op, 'gradient and parameter differ in shape or dtype', `${p.grad.describe()} for ${p.describe()}`);
      }
    }
  }

  /**
   * Updates every parameter that has a gradient, in place; others are skipped. Gradients stay as they are: call
   * {@link zeroGrad} before the next backward(). Throws, and changes nothing, when a hyperparameter was set to a wrong
   * value or a gradient does not fit its parameter.
   */
  step(): void {
    for (const group of this.paramGroups) this.checkStep(group);
    withModes({ grad: false, scope: null }, () => {
      for (const group of this.paramGroups) {
        for (const { params, states, tensors } of this.planOf(group).batches) {
          for (const state of states) state.step++;
          this.update(group, params, states, tensors);
        }
      }
    });
  }

  /**
   * Forgets the gradients of all parameters, and frees them at once: a gradient that is to live on needs a hold of its own,
   * `p.grad.detach()`, which copies nothing. With `setToNone: false` they become zeros instead.
   */
  zeroGrad(options: { readonly setToNone?: boolean } = {}): void {
    const op = `${this.constructor.name}.zeroGrad`;
    const setToNone = checkFlag(op, 'setToNone', checkOptions(op, options, ['setToNone']).setToNone ?? true);
    withModes({ grad: false, scope: null }, () => {
      for (const { params } of this.paramGroups) {
        for (const p of params) {
          const g = p.grad;
          if (g === null) continue;
          // Memory that others see too is not theirs to lose, and an expanded gradient cannot be written to.
          const own = !g.disposed && g.storage.exclusive && isContiguous(g.shape, g.strides) && !g.requiresGrad;
          if (!setToNone && own) {
            g.zero_();
          } else {
            p.grad = setToNone ? null : filled(p.shape, 0, p.dtype, p);
            g.dispose();
          }
        }
      }
    });
  }

  /** What it takes to go on later: states by the parameters' numbers, and settings that JSON can hold. */
  stateDict(): OptimizerState {
    return saveState(this.paramGroups, this.states, (group) => this.stateNames(group as ParamGroup<H>));
  }

  /**
   * Takes over the states and hyperparameters of an optimizer of the same kind over parameters of the same shapes, in the
   * same order. Throws, and changes nothing, when they do not fit.
   */
  loadStateDict(state: OptimizerState): void {
    const op = `${this.constructor.name}.loadStateDict`;
    loadState(op, state, this.paramGroups, this.states, {
      check: (values) => this.check(op, values as unknown as H),
      names: (group) => this.stateNames(group as ParamGroup<H>),
    });
  }

  /** Frees what is remembered of the parameters, not the parameters. The next step starts anew. */
  dispose(): void {
    for (const { tensors } of this.states.values()) for (const t of Object.values(tensors)) t.dispose();
    this.states.clear();
  }

  /** `using optimizer = ...` frees its states at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** An optimizer of any kind: what a training loop or a schedule asks for. */
export type AnyOptimizer = Optimizer<Hyperparameters>;

/** Parameters of one dtype, not too many, and no two on the same memory: those are updated one after the other. */
function batches(params: readonly Tensor[]): Tensor[][] {
  const open = new Map<DType, { params: Tensor[]; storages: Set<Storage> }>();
  const out: Tensor[][] = [];
  for (const p of params) {
    let batch = open.get(p.dtype);
    if (batch === undefined || batch.params.length === batchSize || batch.storages.has(p.storage)) {
      batch = { params: [], storages: new Set() };
      open.set(p.dtype, batch);
      out.push(batch.params);
    }
    batch.params.push(p);
    batch.storages.add(p.storage);
  }
  return out;
}

/** Throws unless a hyperparameter is a number in [low, high): by default 0 or more, and finite. */
export function checkNumber(op: string, name: string, value: unknown, low = 0, high = Number.POSITIVE_INFINITY): void {
  if (typeof value === 'number' && value >= low && value < high) return;
  const range = high === Number.POSITIVE_INFINITY ? `${low} or more and finite` : `in [${low}, ${high})`;
  fail(op, `${name} must be ${range}`, show(value));
}

/** Throws unless `betas` is a pair of numbers in [0, 1). */
export function checkBetas(op: string, betas: unknown): void {
  if (!Array.isArray(betas) || betas.length !== 2) fail(op, 'betas must be two numbers', show(betas));
  for (const beta of betas) checkNumber(op, 'each of the betas', beta, 0, 1);
}
