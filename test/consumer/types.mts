// The package's types, as an ES module sees them.
import { type Shape, type Tensor, tensor } from 'athanor';

const sum: Tensor = tensor([1, 2, 3]).sum();
const shape: Shape = sum.shape;
export const value: Promise<number> = sum.item();
// @ts-expect-error a shape is no string
export const wrong: string = shape;
