import { nn, tensor } from '../../lib/index.js';

describe('Embedding', () => {
  test('looks rows up; the padding row gets no gradient', () => {
    const layer = new nn.Embedding(3, 2, { paddingIdx: -1 });
    expect(layer.paddingIdx).toBe(2);
    const indices = tensor(
      [
        [0, 2],
        [0, 1],
      ],
      { dtype: 'int32' },
    );
    const y = layer.forward(indices);
    expect(y.shape).toEqual([2, 2, 2]);
    y.sum().backward();
    expect(layer.weight.grad?.toArraySync()).toEqual([
      [2, 2],
      [1, 1],
      [0, 0],
    ]);
    expect(() => new nn.Embedding(3, 2, { paddingIdx: 3 })).toThrow(
      'Embedding: paddingIdx must be a whole number from -3 to 2: 3',
    );
  });
});
