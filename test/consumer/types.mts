// The package's types, as an ES module sees them.
import { type DType, type Shape, type Tensor, tensor } from 'athanor';

const x: Tensor = tensor([1, 2, 3], { dtype: 'float64', requiresGrad: true });
x.square().sum().backward();
export const shape: Shape = x.shape;
export const dtype: DType = x.dtype;
export const value: Promise<number> = x.sum().item();
export const gradient: Tensor | null = x.grad;
// @ts-expect-error a shape is no string
export const wrong: string = x.shape;
// @ts-expect-error there is no such dtype
tensor([1], { dtype: 'float31' });
