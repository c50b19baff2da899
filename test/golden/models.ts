// The models of the golden files, as pytorch/models.py has them.
import { nn, type Tensor } from '../../lib/index.js';

export class LeNet5 extends nn.Module {
  conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
  conv2 = new nn.Conv2d(6, 16, 5);
  fc1 = new nn.Linear(400, 120);
  fc2 = new nn.Linear(120, 84);
  fc3 = new nn.Linear(84, 10);

  forward(x: Tensor): Tensor {
    let y = this.conv1.forward(x).relu().maxPool2d(2);
    y = this.conv2.forward(y).relu().maxPool2d(2);
    y = this.fc1.forward(y.flatten(1)).relu();
    return this.fc3.forward(this.fc2.forward(y).relu());
  }
}

class Block extends nn.Module {
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  conv2: nn.Conv2d;
  bn2: nn.BatchNorm2d;
  shortcut: nn.Sequential | null = null;

  constructor(inputs: number, outputs: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(outputs);
    this.conv2 = new nn.Conv2d(outputs, outputs, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(outputs);
    if (stride !== 1 || inputs !== outputs) {
      const conv = new nn.Conv2d(inputs, outputs, 1, { stride, bias: false });
      this.shortcut = new nn.Sequential(conv, new nn.BatchNorm2d(outputs));
    }
  }

  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x)).relu();
    const short = this.shortcut === null ? x : this.shortcut.forward(x);
    return this.bn2.forward(this.conv2.forward(y)).add(short).relu();
  }
}

export class ResNet extends nn.Module {
  conv = new nn.Conv2d(3, 4, 3, { padding: 1, bias: false });
  bn = new nn.BatchNorm2d(4);
  blocks = new nn.Sequential(new Block(4, 4, 1), new Block(4, 8, 2), new Block(8, 8, 1));
  fc = new nn.Linear(8, 5);

  forward(x: Tensor): Tensor {
    const y = this.blocks.forward(this.bn.forward(this.conv.forward(x)).relu());
    return this.fc.forward(y.adaptiveAvgPool2d(1).flatten(1));
  }
}

export function mlp(): nn.Sequential {
  return new nn.Sequential(
    new nn.Linear(12, 16),
    new nn.Tanh(),
    new nn.Linear(16, 8),
    new nn.GELU(),
    new nn.Linear(8, 4),
  );
}
