// Writes ONNX models: the few messages of its protobuf format that a graph of standard operators needs.
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

/** An element type of ONNX. */
export const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type ElementType = keyof typeof elementTypes;

/** A tensor that the graph takes, makes, or holds. */
export interface Value {
  readonly name: string;
  readonly type?: ElementType;
  /** Absent: whatever the operators make it. */
  readonly shape?: readonly number[];
}

/** A tensor whose values are part of the model. */
export interface Constant extends Value {
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** One operator. A number is written as FLOAT with `floats` naming it, otherwise as INT. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ints?: Readonly<Record<string, number | readonly number[]>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly strings?: Readonly<Record<string, string>>;
}

/** A graph of operators in the order in which they run. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly constants?: readonly Constant[];
}

const irVersion = 9;
const opset = 20; // the first with Gelu

type Part = Uint8Array;

function varint(value: number | bigint): Part {
  let rest = BigInt.asUintN(64, BigInt(value)); // negative numbers are written as 64-bit two's complement
  const bytes: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function join(parts: readonly Part[]): Part {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A field that holds a whole number. */
const number = (field: number, value: number): Part => join([varint((field << 3) | 0), varint(value)]);

/** A field that holds bytes: a message, a text, raw data. */
function bytes(field: number, content: Part | readonly Part[]): Part {
  const body = content instanceof Uint8Array ? content : join(content);
  return join([varint((field << 3) | 2), varint(body.length), body]);
}

const text = (field: number, value: string): Part => bytes(field, new TextEncoder().encode(value));

function float(field: number, value: number): Part {
  const body = new Uint8Array(4);
  new DataView(body.buffer).setFloat32(0, value, true);
  return join([varint((field << 3) | 5), body]);
}

const attributeKinds = { float: 1, int: 2, string: 3, ints: 7 } as const;

function attributes({ ints = {}, floats = {}, strings = {} }: OnnxNode): Part[] {
  const kind = (name: keyof typeof attributeKinds) => number(20, attributeKinds[name]);
  return [
    ...Object.entries(ints).map(([name, value]) =>
      typeof value === 'number'
        ? [text(1, name), number(3, value), kind('int')]
        : [text(1, name), ...value.map((v) => number(8, v)), kind('ints')],
    ),
    ...Object.entries(floats).map(([name, value]) => [text(1, name), float(2, value), kind('float')]),
    ...Object.entries(strings).map(([name, value]) => [text(1, name), text(4, value), kind('string')]),
  ].map((parts) => bytes(5, parts));
}

function node(n: OnnxNode): Part[] {
  return [...n.inputs.map((i) => text(1, i)), ...n.outputs.map((o) => text(2, o)), text(4, n.op), ...attributes(n)];
}

function value({ name, type = 'float32', shape }: Value): Part[] {
  const dims =
    shape === undefined
      ? []
      : [
          bytes(
            2,
            shape.map((size) => bytes(1, number(1, size))),
          ),
        ];
  const tensor = [number(1, elementTypes[type]), ...dims];
  return [text(1, name), bytes(2, bytes(1, tensor))];
}

function constant({ name, type = 'float32', shape, data }: Constant): Part[] {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...shape.map((size) => number(1, size)), number(2, elementTypes[type]), text(8, name), bytes(9, raw)];
}

/** The bytes of a model file. */
export function onnxModel({ nodes, inputs, outputs, constants = [] }: OnnxGraph): Uint8Array {
  const graph = [
    ...nodes.map((n) => bytes(1, node(n))),
    text(2, 'athanor benchmark'),
    ...constants.map((c) => bytes(5, constant(c))),
    ...inputs.map((v) => bytes(11, value(v))),
    ...outputs.map((v) => bytes(12, value(v))),
  ];
  return join([number(1, irVersion), bytes(7, graph), bytes(8, [text(1, ''), number(2, opset)])]);
}
