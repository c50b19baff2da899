// Well-known networks: the namespace `models`.
export {
  BasicBlock,
  Bottleneck,
  CifarResNet,
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet20,
  resnet34,
  resnet50,
  resnet56,
} from './resnet.js';
