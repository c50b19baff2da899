import { execFileSync, spawnSync } from 'node:child_process';
import * as path from 'node:path';
import {
  devices,
  getDefaultDevice,
  getFloat32Precision,
  memory,
  nn,
  ones,
  optim,
  setDefaultDevice,
  setFloat32Precision,
  setMemoryLimit,
  synchronize,
  type Tensor,
  tensor,
  tidy,
  trimMemory,
  zeros,
} from '../../lib/index.js';
import { temporaryFolder } from '../support/folder.js';
import { collectGarbage } from '../support/garbage.js';
import { executed, simulated } from './support.js';

const root = path.resolve(__dirname, '../..');
const folder = temporaryFolder();

/** What `script` prints, in a process of its own. */
function run(script: string, env: NodeJS.ProcessEnv = {}): string {
  const program = `const athanor = require(${JSON.stringify(root)}); ${script}`;
  return execFileSync(process.execPath, ['-e', program], { env: { ...process.env, ...env }, encoding: 'utf8' }).trim();
}

describe('where there is no GPU', () => {
  const ask =
    'console.log(JSON.stringify(athanor.devices()[1])); try { athanor.zeros([2], { device: "cuda" }) } catch (e) { console.log(e.message) }';

  (simulated ? test : test.skip)('devices() and every use of one say why', () => {
    const found = run(ask, { ATHANOR_SIMULATED_REASON: 'the machine is a toaster' });
    const [listed, thrown] = found.split('\n');
    const reason = executed
      ? 'the NVIDIA driver finds no GPU: no CUDA-capable device is detected'
      : 'the machine is a toaster';
    expect(JSON.parse(listed)).toEqual({ device: 'cuda', available: false, reason });
    expect(thrown).toBe(`zeros: there is no CUDA device: ${reason}: "cuda"`);
  });

  test('a module that is not one is no crash', () => {
    expect(run(ask, { ATHANOR_CUDA_MODULE: '/nonexistent/module.so' })).toMatch(/nonexistent.*No such file/);
    expect(run(ask, { ATHANOR_CUDA_MODULE: path.join(root, 'package.json') })).toMatch(/invalid ELF header/);
  });

  test('nor is a library of something else, or a module of another version', () => {
    const library = (name: string, source: string) => {
      const file = folder.path(`${name}.so`);
      const text = folder.write(`${name}.cc`, source);
      execFileSync(process.env.CXX ?? 'c++', ['-shared', '-fPIC', '-o', file, text]);
      return run(ask, { ATHANOR_CUDA_MODULE: file });
    };
    expect(library('other', 'int other() { return 0; }')).toMatch(/other\.so is no module of athanor/);
    // What is looked at first is a number that each version has another of.
    const old = 'static long table[64]; extern "C" void* athanor_device_module() { return table; }';
    expect(library('old', old)).toMatch(/old\.so was built for another version of athanor/);
  });

  test('everything else runs on the CPU', () => {
    const script = 'console.log(athanor.ones([3]).sum().itemSync())';
    expect(run(script, { ATHANOR_CUDA_MODULE: '/nonexistent/module.so' })).toBe('3');
  });
});

describe('devices', () => {
  test('are listed with names and memory', () => {
    const [cpu, gpu] = devices();
    expect(cpu).toMatchObject({ device: 'cpu', available: true });
    expect(gpu).toMatchObject({ device: 'cuda:0', available: true });
    expect(gpu.memoryBytes).toBeGreaterThan(2 ** 29);
  });

  test('hold tensors, which move between them', async () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => i / 7);
    const x = tensor(values, { shape: [10, 100], device: 'cuda' });
    expect(x.device).toBe('cuda:0');
    expect(await x.data()).toEqual(values);
    expect(x.dataSync()).toEqual(values);
    const turned = x.transpose();
    expect(turned.to('cpu').dataSync()).toEqual(turned.dataSync());
    expect(x.to('cuda')).toBe(x);
    expect(x.to('float64').dtype).toBe('float64');
    if (devices().length > 2) expect(x.to('cuda:1').to('cpu').dataSync()).toEqual(values);
  });

  test('hold tensors of many megabytes, and of nothing', async () => {
    const values = Float32Array.from({ length: 3_000_001 }, (_, i) => i);
    const x = tensor(values).to('cuda');
    expect((await x.data()).every((v, i) => v === i)).toBe(true);
    expect(x.dataSync().every((v, i) => v === i)).toBe(true);
    expect(await zeros([0, 3], { device: 'cuda' }).data()).toEqual(new Float32Array(0));
  });

  test('do not mix', () => {
    const x = ones([2], { device: 'cuda' });
    const apart = 'tensors are on different devices; move one with to(): [2] float32 on cuda:0 and [2] float32 on cpu';
    expect(() => x.add(ones([2]))).toThrow(`add: ${apart}`);
    expect(() => x.copy_(ones([2]))).toThrow('copy_: tensors are on different devices');
    expect(() => zeros([2], { device: 'cuda:99' })).toThrow('zeros: there is no such device; there are cpu, cuda:0');
  });

  test('are the default where one says so', () => {
    setDefaultDevice('cuda');
    try {
      expect(getDefaultDevice()).toBe('cuda:0');
      expect(zeros([2]).device).toBe('cuda:0');
      expect(zeros([2], { device: 'cpu' }).device).toBe('cpu');
      expect(tidy(() => tensor([1, 2])).device).toBe('cuda:0');
    } finally {
      setDefaultDevice('cpu');
    }
    expect(zeros([2]).device).toBe('cpu');
  });

  test('compute as the CPU does, with numbers beside tensors', () => {
    const x = tensor([1, -2, 3], { device: 'cuda' });
    expect([...x.mul(2).add(1).relu().dataSync()]).toEqual([3, 0, 7]);
    expect([
      ...tensor([[1], [2]], { device: 'cuda' })
        .add(x)
        .dataSync(),
    ]).toEqual([2, -1, 4, 3, 0, 5]);
    expect(x.add_(x).sum().itemSync()).toBe(4);
  });
});

describe('gradients', () => {
  test('flow on a device and back to where a tensor came from', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.to('cuda').mul(x.detach().to('cuda')).sum().backward();
    expect((x.grad as Tensor).device).toBe('cpu');
    expect([...(x.grad as Tensor).dataSync()]).toEqual([1, 2, 3]);
  });

  test('train a layer to the same weights as on the CPU', () => {
    const trained = (['cpu', 'cuda'] as const).map((device) => {
      const model = new nn.Linear(3, 2);
      model.weight.detach().copy_(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]).div(10),
      );
      model.bias?.detach().fill_(0);
      model.to(device);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const x = tensor(
        [
          [1, 0, 2],
          [0, 1, -1],
        ],
        { device },
      );
      for (let step = 0; step < 3; step++) {
        optimizer.zeroGrad();
        model.forward(x).square().mean().backward();
        optimizer.step();
      }
      return [...model.weight.dataSync()];
    });
    trained[1].forEach((w, i) => {
      expect(w).toBeCloseTo(trained[0][i], 6);
    });
  });
});

describe('failures', () => {
  test('that only the device sees reject the next read, and name the line', async () => {
    const a = tensor(Int32Array.of(1, 2), { device: 'cuda' });
    const bad = a.remainder(tensor(Int32Array.of(1, 0), { device: 'cuda' }));
    await expect(bad.data()).rejects.toThrow(/^remainder: integers cannot be divided by zero\n.*devices\.test\.ts/);
    expect([...(await a.add(1).data())]).toEqual([2, 3]); // and the device goes on
  });
});

(simulated ? describe : describe.skip)('a kernel that breaks the device', () => {
  // The addition is the third launch.
  const script = `const x = athanor.ones([4], { device: "cuda" }), y = athanor.ones([4], { device: "cuda" });
    const tell = (what) => (e) => console.log(what + ": " + e.message.split("\\n")[0]);
    (async () => {
      const call = async (f) => f().data(); // with ATHANOR_SYNC=1 the op itself throws
      await call(() => x.add(y)).catch(tell("first"));
      await call(() => x.mul(2)).catch(tell("then"));
      await call(() => athanor.zeros([1 << 20], { device: "cuda" })).catch(tell("memory"));
      console.log(athanor.ones([3]).sum().itemSync());
    })();`;
  const lost = 'an illegal memory access was encountered, in this or an earlier call (ATHANOR_SYNC=1 tells which)';

  /** What it prints; it ends as a program that failed, since the device's last failure is told to nobody. */
  function lines(env: NodeJS.ProcessEnv): string[] {
    const program = `const athanor = require(${JSON.stringify(root)}); ${script}`;
    const found = spawnSync(process.execPath, ['-e', program], { env: { ...process.env, ...env }, encoding: 'utf8' });
    expect(found.status).toBe(1);
    return found.stdout.trim().split('\n');
  }

  test('is told to every later call, and the process goes on', () => {
    const told = lines({ ATHANOR_SIMULATED_FAULT: '3' });
    for (const line of told.slice(0, 3)) expect(line).toContain(lost);
    expect(told[2]).not.toContain('out of memory');
    expect(told[3]).toBe('3');
  });

  test('is named where each op is waited for', () => {
    expect(lines({ ATHANOR_SIMULATED_FAULT: '3', ATHANOR_SYNC: '1' })[0]).toMatch(/^first: add: /);
  });
});

describe('the end of the process', () => {
  test('comes while work is queued, without a crash', () => {
    const script = `let x = athanor.ones([64, 64], { device: "cuda" });
      for (let i = 0; i < 300; i++) x = x.add(1);
      x.data();
      setTimeout(() => process.exit(0), 5);`;
    for (let i = 0; i < 5; i++) expect(run(script)).toBe('');
  });
});

describe('memory', () => {
  beforeEach(() => collectGarbage());

  test('is counted for each device', () => {
    const before = memory('cuda');
    const cpu = memory().bytes;
    const x = zeros([1 << 20], { device: 'cuda' });
    synchronize();
    const after = memory('cuda');
    expect(after.bytes - before.bytes).toBe(4 << 20);
    expect(after.allocatedBytes - before.allocatedBytes).toBe(4 << 20);
    expect(memory().bytes).toBe(cpu);
    x.dispose();
    expect(memory('cuda').bytes).toBe(before.bytes);
    expect(memory('cuda').cachedBytes).toBeGreaterThanOrEqual(4 << 20);
    trimMemory('cuda');
  });

  test('that runs out rejects with the sizes, and the process goes on', async () => {
    setMemoryLimit(memory('cuda').allocatedBytes + (8 << 20), 'cuda');
    try {
      const much = zeros([16 << 20], { device: 'cuda' });
      await expect(much.data()).rejects.toThrow(/^fill: out of memory on cuda:0: 67108864 bytes were asked for/);
      expect(await zeros([4], { device: 'cuda' }).data()).toEqual(new Float32Array(4));
    } finally {
      setMemoryLimit(0, 'cuda');
    }
  });

  test('of garbage is used again in a synchronous loop', () => {
    for (let i = 0; i < 2000; i++) zeros([1 << 18], { device: 'cuda' });
    synchronize();
    if (simulated) expect(memory('cuda').peakBytes).toBeLessThan(2 ** 30);
  });
});

test('float32 products use tensor cores where one says so', () => {
  const a = tensor(
    Float32Array.from({ length: 32 * 40 }, (_, i) => Math.sin(i)),
    { shape: [32, 40] },
  );
  const b = tensor(
    Float32Array.from({ length: 40 * 24 }, (_, i) => Math.cos(i)),
    { shape: [40, 24] },
  );
  const exact = a.matmul(b).dataSync();
  const error = () => {
    const found = a.to('cuda').matmul(b.to('cuda')).dataSync();
    return Math.max(...found.map((v, i) => Math.abs(v - exact[i])));
  };
  expect(getFloat32Precision()).toBe('exact');
  const before = error();
  setFloat32Precision('tf32');
  try {
    expect(before).toBeLessThan(1e-5);
    expect(error()).toBeGreaterThan(1e-5); // ten bits of fraction
    expect(error()).toBeLessThan(40 * 2 ** -10);
  } finally {
    setFloat32Precision('exact');
  }
  expect(() => setFloat32Precision('half' as never)).toThrow(
    'setFloat32Precision: precision must be "exact" or "tf32"',
  );
});
