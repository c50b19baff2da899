import { arange, type Tensor, tensor, zeros } from '../../lib/index.js';

const numbers = (t: Tensor | null) => (t === null ? null : [...t.dataSync()]);

describe('view', () => {
  const x = arange(24, { dtype: 'float32' }).reshape([2, 3, 4]);

  // Cases where PyTorch's rule, that each new axis lies within old ones without gaps between, allows a view.
  test.each<[string, Tensor, number[]]>([
    ['joins axes without gaps', x, [6, 4]],
    ['splits an axis', x, [2, 3, 2, 2]],
    ['works out a size', x, [-1, 12]],
    ['splits an axis of a transpose', x.transpose(0, 2), [2, 2, 3, 2]],
    ['joins the axes of a permuted tensor that still follow each other', x.permute([1, 2, 0]), [12, 2]],
    ['puts axes of size 1 anywhere', x.transpose(), [2, 1, 4, 3, 1]],
    ['joins rows of a slice of rows', x.slice({}, { start: 1 }), [2, 8]],
    ['splits an expanded axis', zeros([1, 3]).expand([4, 3]), [2, 2, 3]],
    ['of nothing, as nothing', zeros([0, 3]), [5, 0]],
  ])('%s, as reshape does, on the same memory', (_name, t, shape) => {
    const view = t.view(shape);
    expect(view.storage).toBe(t.storage);
    expect(view.shape).toEqual(t.reshape(shape).shape);
    expect(numbers(view)).toEqual(numbers(t));
  });

  // And where it does not.
  test.each<[string, Tensor, number[]]>([
    ['a transpose as rows', x.transpose(), [24]],
    ['axes that no longer follow each other', x.permute([1, 2, 0]), [3, 8]],
    ['columns of a slice of columns', x.slice({}, {}, { end: 2 }), [12]],
    ['an expanded axis joined with another', zeros([1, 3]).expand([4, 3]), [12]],
  ])('refuses to copy: %s', (_name, t, shape) => {
    expect(() => t.view(shape)).toThrow(
      `view: these elements have no view of that shape; reshape() copies them: [${t.shape.join(', ')}] with strides [${t.strides.join(', ')}] to [${shape.join(', ')}]`,
    );
    expect(numbers(t.reshape(shape))).toEqual(numbers(t));
  });

  test('shows writes, and lets gradients through', () => {
    const a = tensor([1, 2, 3, 4]);
    const b = a.view([2, 2]);
    a.fill_(7);
    expect(numbers(b)).toEqual([7, 7, 7, 7]);
    a.requiresGrad = true;
    a.view([2, 2]).mul(tensor([[1, 2], [3, 4]])).sum().backward(); // biome-ignore format: a matrix
    expect(numbers(a.grad)).toEqual([1, 2, 3, 4]);
  });
});
