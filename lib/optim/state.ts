// What an optimizer saves and loads. Everything is checked before anything is written.
import { withModes } from '../context.js';
import { fail, show } from '../errors.js';
import { keep } from '../memory.js';
import { sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import type { ParamState } from './optimizer.js';

/** A parameter group as it is saved: hyperparameters, and the numbers of its parameters. */
export type SavedGroup = Record<string, unknown> & { readonly params: readonly number[] };

/**
 * The state of an optimizer. Parameters are numbered through all groups. `tensors` are the live ones, named
 * `<number>.<name>`, as saveSafetensors() takes them; `settings` is plain data for JSON.
 */
export interface OptimizerState {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly settings: {
    readonly groups: readonly SavedGroup[];
    /** Steps taken, by the parameter's number. */
    readonly steps: Readonly<Record<string, number>>;
    /** Names of tensors that the next step will make, by the parameter's number: a hyperparameter that asks for them was
     *  set after the last step. */
    readonly unmade?: Readonly<Record<string, readonly string[]>>;
  };
}

interface Group {
  readonly params: readonly Tensor[];
}

/** Names of the tensors that are remembered of each parameter of a group. */
type Names = (group: Group) => readonly string[];

/** See Optimizer.stateDict. */
export function saveState(
  groups: readonly Group[],
  states: ReadonlyMap<Tensor, ParamState>,
  names: Names,
): OptimizerState {
  const tensors: Record<string, Tensor> = {};
  const steps: Record<string, number> = {};
  const unmade: Record<string, string[]> = {};
  let number = 0;
  const saved = groups.map((group): SavedGroup => {
    const { params, ...values } = group;
    const numbers = params.map((p) => {
      const state = states.get(p);
      if (state !== undefined) {
        steps[number] = state.step;
        for (const name of names(group)) {
          if (name in state.tensors) tensors[`${number}.${name}`] = state.tensors[name];
          else unmade[number] = [...(unmade[number] ?? []), name];
        }
      }
      return number++;
    });
    return { ...structuredClone(values), params: numbers };
  });
  const rest = Object.keys(unmade).length === 0 ? {} : { unmade };
  return { tensors, settings: { groups: saved, steps, ...rest } };
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null;

/** What loading must know of the kind of optimizer. */
interface Kind {
  /** Throws for wrong hyperparameters. */
  readonly check: (values: Record<string, unknown>) => void;
  readonly names: Names;
}

/** See Optimizer.loadStateDict. */
export function loadState(
  op: string,
  saved: OptimizerState,
  groups: readonly Group[],
  states: Map<Tensor, ParamState>,
  kind: Kind,
): void {
  const settings = saved?.settings;
  if (!Array.isArray(settings?.groups) || ![settings.steps, saved.tensors, ...settings.groups].every(isObject)) {
    fail(op, 'the state of an optimizer was expected: { tensors, settings }', show(saved));
  }
  if (settings.groups.length !== groups.length) {
    fail(op, 'the numbers of groups differ', `${settings.groups.length} saved, ${groups.length} here`);
  }
  const values = settings.groups.map(({ params, ...rest }, i) => {
    if (!Array.isArray(params) || params.length !== groups[i].params.length) {
      const given = `${params?.length} saved, ${groups[i].params.length} here`;
      fail(op, `the numbers of parameters in group ${i} differ`, given);
    }
    const unknown = Object.keys(rest).find((name) => name !== 'initialLr' && !(name in groups[i]));
    if (unknown !== undefined) fail(op, 'the state has a hyperparameter of another kind of optimizer', unknown);
    const { params: _, ...own } = groups[i] as Group & Record<string, unknown>;
    const full = { ...own, ...rest };
    kind.check(full);
    return full;
  });

  const loaded = new Map<Tensor, ParamState>();
  const used = new Set<string>();
  let number = 0;
  groups.forEach((group, i) => {
    const names = kind.names({ ...group, ...values[i] });
    for (const p of group.params) {
      const step = settings.steps[number];
      if (step !== undefined) {
        if (!Number.isInteger(step) || step < 0) fail(op, `steps of parameter ${number} must be whole`, show(step));
        const tensors: Record<string, Tensor> = {};
        for (const name of names) {
          const key = `${number}.${name}`;
          const t = saved.tensors[key];
          if (t === undefined && settings.unmade?.[number]?.includes(name)) continue;
          if (!(t instanceof Tensor)) fail(op, `the state lacks ${key}`, show(t));
          if (t.disposed || !sameShape(t.shape, p.shape) || t.dtype !== p.dtype) {
            fail(op, `${key} does not fit its parameter`, `${t.describe()} for ${p.describe()}`);
          }
          used.add(key);
          tensors[name] = t;
        }
        loaded.set(p, { step, fresh: false, tensors });
      }
      number++;
    }
  });
  for (const key of Object.keys(saved.tensors)) {
    if (!used.has(key)) fail(op, 'the state has a tensor of no parameter here', key);
  }

  withModes({ grad: false, scope: null }, () => {
    // Copied before the old ones go: a state may be loaded back into the optimizer that it came from.
    for (const { tensors } of loaded.values()) {
      for (const [name, t] of Object.entries(tensors)) tensors[name] = keep(t.clone());
    }
  });
  for (const { tensors } of states.values()) for (const t of Object.values(tensors)) t.dispose();
  states.clear();
  for (const [p, state] of loaded) states.set(p, state);
  groups.forEach((group, i) => {
    Object.assign(group, structuredClone(values[i]));
  });
}
