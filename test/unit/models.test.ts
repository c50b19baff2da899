import { models, type nn, noGrad, zeros } from '../../lib/index.js';

const count = (model: nn.Module) => model.parameters().reduce((sum, { size }) => sum + size, 0);

// The counts that torchvision states for its models.
test.each([
  ['resnet18', 11_689_512],
  ['resnet34', 21_797_672],
  ['resnet50', 25_557_032],
] as const)('%s has as many parameters as torchvision says', (name, parameters) => {
  expect(count(models[name]())).toBe(parameters);
});

test('parameters carry the names of torchvision', () => {
  const names = Object.keys(models.resnet18().stateDict());
  for (const name of ['conv1.weight', 'bn1.runningVar', 'layer1.0.conv2.weight', 'layer2.0.downsample.1.bias']) {
    expect(names).toContain(name);
  }
  expect(names).toHaveLength(122);
  expect(Object.keys(models.resnet50().stateDict())).toContain('layer4.2.bn3.numBatchesTracked');
});

test('images become scores, at any size and number of channels', () => {
  noGrad(() => {
    expect(
      models
        .resnet18({ numClasses: 7 })
        .eval()
        .forward(zeros([2, 3, 40, 56])).shape,
    ).toEqual([2, 7]);
    expect(
      models
        .resnet20()
        .eval()
        .forward(zeros([2, 3, 32, 32])).shape,
    ).toEqual([2, 10]);
    const grey = new models.ResNet(models.Bottleneck, [1, 1, 1, 1], { inChannels: 1, numClasses: 3 }).eval();
    expect(grey.forward(zeros([1, 1, 64, 64])).shape).toEqual([1, 3]);
  });
});

test('wrong arguments', () => {
  expect(() => models.resnet18({ classes: 10 } as never)).toThrow(/^ResNet: there is no option classes/);
  expect(() => models.resnet20({ numClasses: 0 })).toThrow(/^CifarResNet: numClasses/);
  expect(() => new models.ResNet(models.BasicBlock, [2, 2] as never)).toThrow(
    'ResNet: blocks must be a list of 4 counts, one for each stage: [2, 2]',
  );
});
