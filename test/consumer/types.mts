// The package's types, as an ES module sees them.
import { type DType, nn, optim, type Shape, type Tensor, tensor } from 'athanor';

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

/** A training step with any optimizer and any schedule. */
export function train(model: nn.Module, optimizer: optim.Optimizer, scheduler: optim.LRScheduler): number {
  optimizer.zeroGrad();
  model.forward(x).sum().backward();
  optimizer.step();
  scheduler.step();
  for (const group of optimizer.paramGroups) group.lr *= 0.5;
  return optimizer.lr;
}
const model = new nn.Linear(3, 1);
const sgd: optim.AnyOptimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
train(model, sgd, new optim.StepLR(sgd, { stepSize: 2 }));
const adam = new optim.AdamW(model.parameters());
train(model, adam, new optim.OneCycleLR(adam, { maxLr: 1, totalSteps: 9 }));
// @ts-expect-error a model is no optimizer
train(model, model, new optim.StepLR(sgd, { stepSize: 2 }));
