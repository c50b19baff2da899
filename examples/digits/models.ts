import { nn } from 'athanor';

/**
 * LeNet-5 as it is built today: the layers of LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
 * recognition" (1998), with ReLU and maximum pooling. `[N, 1, 28, 28]` to `[N, 10]` scores; 61,706 parameters.
 */
function lenet5(): nn.Module {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 5),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16 * 5 * 5, 120),
    new nn.ReLU(),
    new nn.Linear(120, 84),
    new nn.ReLU(),
    new nn.Linear(84, 10),
  );
}

/** A plain network of two hidden layers, for comparison: `[N, 1, 28, 28]` to `[N, 10]` scores; 235,146 parameters. */
function mlp(): nn.Module {
  return new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(28 * 28, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
}

/** The networks that `--model` chooses from. */
export const models = {
  lenet5: { title: 'LeNet-5', build: lenet5 },
  mlp: { title: 'a multi-layer perceptron', build: mlp },
};
