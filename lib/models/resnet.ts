// Residual networks: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016. Names of parameters
// are torchvision's, so its weights load. Norms that a relu follows do it themselves, in the same pass over memory.
import { fail, show } from '../errors.js';
import { checkCount, checkOptions } from '../nn/check.js';
import { Identity, Sequential } from '../nn/containers.js';
import { Conv2d } from '../nn/conv.js';
import { kaimingNormal_ } from '../nn/init.js';
import { type LayerOptions, layerOptions } from '../nn/layer.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { BatchNorm2d } from '../nn/norm.js';
import type { Tensor } from '../tensor.js';

/** Options of the residual networks. */
export interface ResNetOptions extends LayerOptions {
  /** Scores that come out. Default 1000 (of ImageNet); 10 for the networks for CIFAR. */
  readonly numClasses?: number;
  /** Channels of the images. Default 3. */
  readonly inChannels?: number;
}

function conv(inputs: number, outputs: number, kernel: number, stride: number, options: LayerOptions): Conv2d {
  const { dtype, device, generator } = options;
  const padding = (kernel - 1) / 2;
  return new Conv2d(inputs, outputs, kernel, { stride, padding, bias: false, dtype, device, generator });
}

function norm(channels: number, { dtype, device }: LayerOptions, activation: 'relu' | null = null): BatchNorm2d {
  return new BatchNorm2d(channels, { activation, dtype, device });
}

/** Where the input goes past the layers: as it is, or through a 1x1 convolution where sizes change. */
function shortcut(inputs: number, outputs: number, stride: number, options: LayerOptions): Sequential | null {
  if (stride === 1 && inputs === outputs) return null;
  return new Sequential(conv(inputs, outputs, 1, stride, options), norm(outputs, options));
}

/**
 * relu(norm(conv(x)) + past): training, the norm does it in its own passes; where it has become part of the convolution,
 * see prepareInference, that one does. Else the norm is told nothing, so that it may become part of it.
 */
function joined(conv: Conv2d, norm: Module, x: Tensor, past: Tensor): Tensor {
  const then = { residual: past, activation: 'relu' } as const;
  if (norm instanceof Identity) return conv.forward(x, then);
  const y = conv.forward(x);
  return norm instanceof BatchNorm2d && norm.training ? norm.forward(y, then) : norm.forward(y).add(past).relu();
}

/** y = relu(x + bn2(conv2(relu(bn1(conv1(x)))))), both convolutions 3x3, the first with the stride. [N, C, H, W]. */
export class BasicBlock extends Module {
  /** Channels that come out, in units of `channels`. */
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inputs: number, channels: number, stride = 1, options: LayerOptions = {}) {
    super();
    this.conv1 = conv(inputs, channels, 3, stride, options);
    this.bn1 = norm(channels, options, 'relu');
    this.conv2 = conv(channels, channels, 3, 1, options);
    this.bn2 = norm(channels, options);
    this.downsample = shortcut(inputs, channels, stride, options);
  }

  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x));
    const past = this.downsample === null ? x : this.downsample.forward(x);
    return joined(this.conv2, this.bn2, y, past);
  }
}

/**
 * As {@link BasicBlock}, of a 1x1 convolution to `channels`, a 3x3 one with the stride, and a 1x1 one to four times as
 * many. [N, C, H, W].
 */
export class Bottleneck extends Module {
  /** Channels that come out, in units of `channels`. */
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inputs: number, channels: number, stride = 1, options: LayerOptions = {}) {
    super();
    const outputs = checkCount('Bottleneck', 'channels', channels) * Bottleneck.expansion;
    this.conv1 = conv(inputs, channels, 1, 1, options);
    this.bn1 = norm(channels, options, 'relu');
    this.conv2 = conv(channels, channels, 3, stride, options);
    this.bn2 = norm(channels, options, 'relu');
    this.conv3 = conv(channels, outputs, 1, 1, options);
    this.bn3 = norm(outputs, options);
    this.downsample = shortcut(inputs, outputs, stride, options);
  }

  forward(x: Tensor): Tensor {
    let y = this.bn1.forward(this.conv1.forward(x));
    y = this.bn2.forward(this.conv2.forward(y));
    const past = this.downsample === null ? x : this.downsample.forward(x);
    return joined(this.conv3, this.bn3, y, past);
  }
}

type Block = typeof BasicBlock | typeof Bottleneck;

/** Blocks of one width, the first of which may halve the image. */
function stage(block: Block, inputs: number, channels: number, count: number, stride: number, options: LayerOptions) {
  const blocks = Array.from(
    { length: count },
    (_, i) => new block(i === 0 ? inputs : channels * block.expansion, channels, i === 0 ? stride : 1, options),
  );
  return new Sequential(...blocks);
}

/** Convolutions start from a normal distribution of variance 2 / fanOut, for which relu layers keep gradients' size. */
function drawConvolutions(model: Module, options: LayerOptions): void {
  for (const layer of model.modules()) {
    if (!(layer instanceof Conv2d)) continue;
    kaimingNormal_(layer.weight, { mode: 'fanOut', nonlinearity: 'relu', generator: options.generator });
  }
}

function checked(name: string, options: ResNetOptions, classes: number): { numClasses: number; inChannels: number } {
  checkOptions(name, options, ['numClasses', 'inChannels', ...layerOptions]);
  return {
    numClasses: checkCount(name, 'numClasses', options.numClasses ?? classes),
    inChannels: checkCount(name, 'inChannels', options.inChannels ?? 3),
  };
}

function checkBlocks(name: string, blocks: readonly number[], stages: number): void {
  if (!Array.isArray(blocks) || blocks.length !== stages) {
    fail(name, `blocks must be a list of ${stages} counts, one for each stage`, show(blocks));
  }
  for (const count of blocks) checkCount(name, 'blocks', count);
}

/** A residual network for ImageNet: images [N, 3, 224, 224] (or another size from 33 on) to scores [N, numClasses]. */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Linear;

  /** `blocks`: how many blocks each of the four stages has. Throws on counts that are not positive whole numbers. */
  constructor(block: Block, blocks: readonly [number, number, number, number], options: ResNetOptions = {}) {
    super();
    const { numClasses, inChannels } = checked('ResNet', options, 1000);
    checkBlocks('ResNet', blocks, 4);
    const wide = block.expansion;
    this.conv1 = conv(inChannels, 64, 7, 2, options);
    this.bn1 = norm(64, options, 'relu');
    this.layer1 = stage(block, 64, 64, blocks[0], 1, options);
    this.layer2 = stage(block, 64 * wide, 128, blocks[1], 2, options);
    this.layer3 = stage(block, 128 * wide, 256, blocks[2], 2, options);
    this.layer4 = stage(block, 256 * wide, 512, blocks[3], 2, options);
    const { dtype, device, generator } = options;
    this.fc = new Linear(512 * wide, numClasses, { dtype, device, generator });
    drawConvolutions(this, options);
  }

  forward(x: Tensor): Tensor {
    let y = this.bn1.forward(this.conv1.forward(x)).maxPool2d(3, { stride: 2, padding: 1 });
    for (const layer of [this.layer1, this.layer2, this.layer3, this.layer4]) y = layer.forward(y);
    return this.fc.forward(y.adaptiveAvgPool2d(1).flatten(1));
  }
}

/** A residual network for CIFAR: images [N, 3, 32, 32] to scores [N, numClasses], in three stages of 16, 32, 64. */
export class CifarResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly fc: Linear;

  /** `blocks`: how many blocks each of the three stages has. Throws on counts that are not positive whole numbers. */
  constructor(blocks: readonly [number, number, number], options: ResNetOptions = {}) {
    super();
    const { numClasses, inChannels } = checked('CifarResNet', options, 10);
    checkBlocks('CifarResNet', blocks, 3);
    this.conv1 = conv(inChannels, 16, 3, 1, options);
    this.bn1 = norm(16, options, 'relu');
    this.layer1 = stage(BasicBlock, 16, 16, blocks[0], 1, options);
    this.layer2 = stage(BasicBlock, 16, 32, blocks[1], 2, options);
    this.layer3 = stage(BasicBlock, 32, 64, blocks[2], 2, options);
    const { dtype, device, generator } = options;
    this.fc = new Linear(64, numClasses, { dtype, device, generator });
    drawConvolutions(this, options);
  }

  forward(x: Tensor): Tensor {
    let y = this.bn1.forward(this.conv1.forward(x));
    for (const layer of [this.layer1, this.layer2, this.layer3]) y = layer.forward(y);
    return this.fc.forward(y.adaptiveAvgPool2d(1).flatten(1));
  }
}

/** ResNet-18 for ImageNet: 11.7 million parameters. Source: torchvision.models.resnet18. */
export const resnet18 = (options: ResNetOptions = {}) => new ResNet(BasicBlock, [2, 2, 2, 2], options);
/** ResNet-34 for ImageNet: 21.8 million parameters. Source: torchvision.models.resnet34. */
export const resnet34 = (options: ResNetOptions = {}) => new ResNet(BasicBlock, [3, 4, 6, 3], options);
/** ResNet-50 for ImageNet: 25.6 million parameters. Source: torchvision.models.resnet50. */
export const resnet50 = (options: ResNetOptions = {}) => new ResNet(Bottleneck, [3, 4, 6, 3], options);
/** ResNet-20 for CIFAR: 0.27 million parameters; shortcuts that change size are 1x1 convolutions. */
export const resnet20 = (options: ResNetOptions = {}) => new CifarResNet([3, 3, 3], options);
/** ResNet-56 for CIFAR: 0.86 million parameters; shortcuts that change size are 1x1 convolutions. */
export const resnet56 = (options: ResNetOptions = {}) => new CifarResNet([9, 9, 9], options);
