// Running the tape backwards. Nodes are visited from the latest to the earliest; ids order them, so no recursion is
// needed and a graph of any length fits.
import { fromOneSite } from '../callsite.js';
import { context, withModes } from '../context.js';
import type { JointVjp, Meta, Vjp, VjpRule } from '../define.js';
import { fail, show } from '../errors.js';
import { checkOptions } from '../options.js';
import { formatShape, isContiguous, sameShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { NodeQueue } from './queue.js';
import type { GradHook, GradNode } from './tape.js';
import { fullLike, plus, sumTo, zerosOf } from './tensors.js';

/** How a backward pass runs. */
export interface BackwardOptions {
  /** Keep what the graph saved, so that it can be run again. Default: the value of `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the backward pass itself, for gradients of gradients. Default false. */
  readonly createGraph?: boolean;
}

const passOptions = ['retainGraph', 'createGraph'] as const;
const gradOptions = [...passOptions, 'gradOutputs', 'allowUnused'] as const;

type Slots = (Tensor | null)[];

/** Where a pass delivers: called once for each wanted tensor, with its complete gradient. */
type Deliver = (leaf: Tensor, grad: Tensor) => void;

class Pass {
  private readonly slots = new Map<GradNode, Slots>();
  private readonly leaves = new Map<Tensor, Tensor>();
  private readonly queue = new NodeQueue();

  constructor(
    private readonly createGraph: boolean,
    private readonly retainGraph: boolean,
    /** Nodes on a path to what is wanted; null: all. */
    private readonly wanted: ReadonlySet<GradNode> | null,
    /** Outputs of nodes whose gradient is wanted itself. */
    private readonly captures: ReadonlyMap<GradNode, ReadonlyMap<number, Tensor>> | null,
    private readonly deliver: Deliver,
  ) {}

  /** Adds a gradient that this pass owns to what an output, or a leaf, has received so far. */
  private add(old: Tensor | null | undefined, g: Tensor): Tensor {
    if (!old) return g;
    if (this.createGraph) return plus(old, g);
    return addInto(old, g);
  }

  seed(t: Tensor, g: Tensor): void {
    if (t.node === null) this.leaves.set(t, this.add(this.leaves.get(t), g));
    else this.push(t.node, t.outputIndex, g);
  }

  private push(node: GradNode, output: number, g: Tensor): void {
    let slots = this.slots.get(node);
    if (slots === undefined) {
      slots = new Array(node.outputs.length).fill(null);
      this.slots.set(node, slots);
      this.queue.push(node);
    }
    slots[output] = this.add(slots[output], g);
  }

  run(): void {
    for (let node = this.queue.pop(); node !== undefined; node = this.queue.pop()) this.visit(node);
    // All hooks run before the first gradient is handed over: one that throws leaves every leaf as it was.
    const complete = [...this.leaves].map(([leaf, g]) => [leaf, runHooks(leaf.hooks, g, this.createGraph)] as const);
    for (const [leaf, g] of complete) this.deliver(leaf, g);
  }

  private visit(node: GradNode): void {
    const gs = this.slots.get(node) as Slots;
    this.slots.delete(node);
    const capture = this.captures?.get(node);
    for (let i = 0; i < gs.length; i++) {
      const g = gs[i];
      if (g === null) continue;
      gs[i] = runHooks(node.hooks?.[i], g, this.createGraph);
      const t = capture?.get(i);
      if (t !== undefined) this.deliver(t, this.createGraph ? (gs[i] as Tensor) : (gs[i] as Tensor).alias());
    }
    const needs = node.edges.map((e) => e !== null && ('leaf' in e || this.wanted === null || this.wanted.has(e.node)));
    if (needs.some((n) => n)) {
      const leave = context().tracer?.backward(node);
      try {
        this.gradients(node, gs, needs);
      } finally {
        leave?.();
      }
    }
    if (!this.retainGraph) node.release();
    if (!this.createGraph) for (const g of gs) g?.dispose();
  }

  /** Computes the gradients of a node's inputs and passes them on. What else its rule made is freed at once. */
  private gradients(node: GradNode, gs: Slots, needs: readonly boolean[]): void {
    const made: Tensor[] = [];
    // What a rule makes of nothing is made where its gradient is.
    const device = gs.find((g) => g !== null)?.storage.device ?? null;
    const modes = this.createGraph ? { grad: true, device } : { grad: false, scope: made, device };
    let results: (Tensor | null)[] = [];
    let own: (Tensor | null)[] = [];
    try {
      results = withModes(modes, () =>
        evaluate(node, gs, needs).map((g, i) => (g === null ? null : adapt(g, node.inputs[i]))),
      );
      // A result may be g itself, a saved tensor, or the same for two inputs: each receiver gets one of its own.
      own = this.createGraph
        ? results
        : results.map((g, i) => {
            if (g === null) return null;
            return made.includes(g) && results.indexOf(g) === i ? g : g.alias();
          });
    } finally {
      for (const t of made) if (!own.includes(t)) t.dispose();
    }
    node.edges.forEach((edge, i) => {
      const g = own[i];
      if (edge === null || g === null) return;
      if ('leaf' in edge) this.leaves.set(edge.leaf, this.add(this.leaves.get(edge.leaf), g));
      else this.push(edge.node, edge.output, g);
    });
  }
}

/** old + g, both owned by the caller, in old's memory when nobody else sees it. */
function addInto(old: Tensor, g: Tensor): Tensor {
  if (old.storage.exclusive && isContiguous(old.shape, old.strides) && old.dtype !== 'bfloat16') {
    old.add_(g);
    g.dispose();
    return old;
  }
  const sum = plus(old, g);
  old.dispose();
  g.dispose();
  return sum;
}

/** Hooks see, and may keep, tensors of their own: the pass frees its own when it is done with them. */
function runHooks(hooks: readonly GradHook[] | null | undefined, g: Tensor, createGraph: boolean): Tensor {
  let out = g;
  // A copy of the list: hooks may remove themselves.
  for (const hook of [...(hooks ?? [])]) {
    const replacement: unknown = hook(createGraph ? out : out.alias()) ?? undefined;
    if (replacement === undefined) continue;
    if (!(replacement instanceof Tensor)) fail('hook', 'a hook returns a tensor or nothing', show(replacement));
    if (!sameShape(replacement.shape, g.shape) || replacement.dtype !== g.dtype) {
      const given = `returned ${replacement.describe()}, gradient ${g.describe()}`;
      fail('hook', 'the returned gradient must be of the same shape and dtype', given);
    }
    out = createGraph ? replacement : replacement.alias();
  }
  return out;
}

/** A node's rules at work: one gradient an input, null where none is needed or none flows. */
function evaluate(node: GradNode, gs: Slots, needs: readonly boolean[]): readonly (Tensor | null)[] {
  const first = gs.findIndex((g) => g !== null);
  const saved = node.unpack((value, like) => fullLike(value, like));
  const rule = { attrs: node.attrs, inputs: node.inputs, needs, gs } as never;
  const g = gs[first] as Tensor;
  if (node.op.jointVjp !== null) {
    const results = (node.op.jointVjp as JointVjp<never>)(g, saved, rule);
    return needs.map((need, i) => (need ? (results[i] ?? null) : null));
  }
  return (node.op.vjp as readonly VjpRule<never>[]).map((one, i) => {
    if (!needs[i] || one === 'none') return null;
    if (one === 'zero') return zerosOf(node.inputs[i]);
    const result = (one as Vjp<never>)(g, saved, rule);
    return result instanceof Tensor ? result : fullLike(result, node.inputs[i]);
  });
}

/** A gradient in the shape and dtype of what it belongs to. */
function adapt(g: Tensor, meta: Meta): Tensor {
  const summed = sameShape(g.shape, meta.shape) ? g : sumTo(g, meta.shape);
  return summed.dtype === meta.dtype ? summed : summed.cast(meta.dtype);
}

/** The gradient a backward pass starts with. */
function seedFor(op: string, t: Tensor, given: Tensor | undefined, createGraph: boolean): Tensor {
  if (t.disposed) fail(op, 'the tensor was disposed of', t.describe());
  if (!t.requiresGrad) {
    fail(op, 'nothing that requires grad leads to this tensor', t.describe());
  }
  if (given === undefined) {
    if (t.size !== 1) fail(op, 'a tensor of more than one element needs a gradient to start from', t.describe());
    return withModes({ grad: false, scope: null, device: t.storage.device }, () => fullLike(1, t));
  }
  if (!(given instanceof Tensor)) fail(op, 'the gradient must be a tensor', show(given));
  if (!sameShape(given.shape, t.shape)) {
    fail(
      op,
      'gradient and tensor differ in shape',
      `gradient ${formatShape(given.shape)}, tensor ${formatShape(t.shape)}`,
    );
  }
  if (given.dtype !== t.dtype) {
    fail(op, 'gradient and tensor differ in dtype', `gradient ${given.dtype}, tensor ${t.dtype}`);
  }
  // A view that is recorded lets second derivatives flow on to what the given gradient was made from.
  return createGraph && given.requiresGrad
    ? withModes({ grad: true, scope: null }, () => given.reshape(given.shape))
    : given.alias();
}

/** Nodes from which one of `targets` can be reached, found without recursion. */
function nodesTowards(outputs: readonly Tensor[], targets: readonly Tensor[]): Set<GradNode> {
  const leaves = new Set(targets.filter((t) => t.node === null));
  const nodes = new Set(targets.map((t) => t.node));
  const seen = new Set<GradNode>();
  const stack = outputs.flatMap((t) => (t.node === null ? [] : [t.node]));
  while (stack.length > 0) {
    const node = stack.pop() as GradNode;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const edge of node.edges) if (edge !== null && 'node' in edge) stack.push(edge.node);
  }
  const wanted = new Set<GradNode>();
  for (const node of [...seen].sort((a, b) => a.id - b.id)) {
    const leads = node.edges.some((e) => e !== null && ('leaf' in e ? leaves.has(e.leaf) : wanted.has(e.node)));
    if (leads || nodes.has(node)) wanted.add(node);
  }
  return wanted;
}

/** A gradient to keep: in memory of its own, where later passes can add to it. */
function owned(g: Tensor): Tensor {
  const repeats = g.shape.some((size, d) => size > 1 && g.strides[d] === 0);
  if (g.storage.exclusive && !repeats) return g;
  const copy = g.clone();
  g.dispose();
  return copy;
}

/** Tensor.backward: see there. */
export function backward(t: Tensor, given: Tensor | undefined, options: BackwardOptions): void {
  checkOptions('backward', options, passOptions);
  const createGraph = options.createGraph ?? false;
  const seed = seedFor('backward', t, given, createGraph);
  const pass = new Pass(createGraph, options.retainGraph ?? createGraph, null, null, (leaf, g) => {
    if (leaf.grad === null) {
      leaf.grad = createGraph ? g : owned(g);
    } else if (createGraph || leaf.grad.requiresGrad) {
      leaf.grad = plus(leaf.grad, g);
    } else if (leaf.grad.dtype === 'bfloat16') {
      leaf.grad.copy_(plus(leaf.grad, g));
      g.dispose();
    } else {
      leaf.grad.add_(g);
      g.dispose();
    }
  });
  withModes({ scope: null, grad: createGraph }, () => {
    pass.seed(t, seed);
    fromOneSite(() => pass.run());
  });
}

/**
 * Gradients of `outputs` with respect to `inputs`, without touching any `grad`: the vector-Jacobian product with
 * `gradOutputs`. Inputs may be leaves or intermediate tensors. An input that the outputs do not depend on is an error
 * unless `allowUnused`, which gives null for it.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options: BackwardOptions & { readonly gradOutputs?: readonly Tensor[]; readonly allowUnused?: boolean } = {},
): Tensor[] {
  checkOptions('grad', options, gradOptions);
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  for (const [name, list] of Object.entries({ outputs: roots, inputs })) {
    if (!Array.isArray(list) || list.length === 0 || list.some((t) => !(t instanceof Tensor))) {
      fail('grad', `${name} must be an array of tensors`, show(list));
    }
  }
  const createGraph = options.createGraph ?? false;
  if (options.gradOutputs !== undefined && options.gradOutputs.length !== roots.length) {
    fail('grad', 'one gradOutput for each output is needed', `${options.gradOutputs.length} for ${roots.length}`);
  }
  const seeds = roots.map((t, i) => seedFor('grad', t, options.gradOutputs?.[i], createGraph));
  for (const t of inputs) if (!t.requiresGrad) fail('grad', 'an input does not require grad', t.describe());
  const captures = new Map<GradNode, Map<number, Tensor>>();
  for (const t of inputs) {
    if (t.node === null) continue;
    if (!captures.has(t.node)) captures.set(t.node, new Map());
    captures.get(t.node)?.set(t.outputIndex, t);
  }
  const found = new Map<Tensor, Tensor>();
  const wanted = nodesTowards(roots, inputs);
  const leaves = new Set(inputs);
  const pass = new Pass(createGraph, options.retainGraph ?? createGraph, wanted, captures, (t, g) => {
    if (leaves.has(t)) found.set(t, g);
    else if (!createGraph) g.dispose();
  });
  withModes({ scope: null, grad: createGraph }, () => {
    roots.forEach((t, i) => {
      pass.seed(t, seeds[i]);
    });
    fromOneSite(() => pass.run());
  });
  const results = inputs.map((t, i) => {
    const g = inputs.indexOf(t) === i || createGraph ? found.get(t) : found.get(t)?.alias();
    if (g === undefined && !options.allowUnused) {
      fail('grad', 'the outputs do not depend on this input (allowUnused gives null instead)', t.describe());
    }
    return g ?? null;
  });
  const scope = context().scope;
  if (scope !== null) for (const g of results) if (g !== null) scope.push(g);
  return results as Tensor[];
}
