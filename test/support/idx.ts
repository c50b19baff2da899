/** Bytes of an idx file: type code, dimensions, and the elements as they are stored. */
export function idxBytes(type: number, shape: readonly number[], elements: Uint8Array | readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = type;
  head[3] = shape.length;
  shape.forEach((dim, i) => {
    head.writeUInt32BE(dim, 4 + 4 * i);
  });
  return Buffer.concat([head, Buffer.from(elements)]);
}
