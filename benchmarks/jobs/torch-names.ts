/** A name of a state dict as PyTorch spells it: `layer1.0.bn1.runningMean` is `layer1.0.bn1.running_mean`. */
export function torchName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
