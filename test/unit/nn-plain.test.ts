import { nn, tensor, zeros } from '../../lib/index.js';

describe('activations, pooling and losses', () => {
  test('print their options where these are not the defaults', () => {
    expect(String(new nn.LeakyReLU())).toBe('LeakyReLU()');
    expect(String(new nn.LeakyReLU({ negativeSlope: 0.2 }))).toBe('LeakyReLU({ negativeSlope: 0.2 })');
    expect(String(new nn.GELU({ approximate: 'tanh' }))).toBe("GELU({ approximate: 'tanh' })");
    expect(String(new nn.MaxPool2d(3, { stride: 2 }))).toBe('MaxPool2d(3, { stride: 2 })');
    expect(String(new nn.AdaptiveAvgPool2d([3, 2]))).toBe('AdaptiveAvgPool2d([3, 2])');
    expect(String(new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }))).toBe('CrossEntropyLoss({ labelSmoothing: 0.1 })');
  });

  test('wrong arguments', () => {
    expect(() => new nn.LeakyReLU(0.1 as never)).toThrow('LeakyReLU: options must be an object: 0.1');
    expect(() => new nn.Softplus({ beta: 0 })).toThrow('Softplus: beta must be a number');
    expect(() => new nn.Softmax(0.5)).toThrow('Softmax: axis must be a whole number: 0.5');
    expect(() => new nn.MaxPool2d(2, { padding: 2 })).toThrow('MaxPool2d: padding must be at most half of the kernel');
    expect(() => new nn.AvgPool2d(2, { countIncludePad: 1 as never })).toThrow(
      'AvgPool2d: countIncludePad must be true or false: 1',
    );
    expect(() => new nn.MSELoss({ reduction: 'avg' as never })).toThrow(
      'MSELoss: reduction must be "mean" or "sum" or "none": "avg"',
    );
    expect(() => new nn.CrossEntropyLoss({ labelSmoothing: 2 })).toThrow(
      'CrossEntropyLoss: labelSmoothing must be a number from 0 to 1: 2',
    );
  });

  test('loss weights are part of the state', () => {
    const loss = new nn.CrossEntropyLoss({ weight: tensor([1, 3]) });
    expect(Object.keys(loss.stateDict())).toEqual(['weight']);
    // Labels 0 and 1 at even odds: both cost log 2, whatever their weights.
    expect(loss.forward(zeros([2, 2]), tensor([0, 1], { dtype: 'int32' })).itemSync()).toBeCloseTo(Math.log(2), 6);
  });
});
