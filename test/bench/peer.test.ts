import { killPeers, PeerProcess } from '../../benchmarks/peers/peer';
import { temporaryFolder } from '../support/folder';

const folder = temporaryFolder();
const patience = { start: 30, prepare: 0.2, run: 0.2 };

/** A peer that answers its greeting, and for the rest does what `body` says with each `request`. */
function peerThat(body: string): PeerProcess {
  const script = `
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const request = JSON.parse(line);
      if (request.hello) console.log(JSON.stringify({ version: String(process.pid) }));
      else { ${body} }
    });`;
  const command = {
    name: 'fake',
    command: process.execPath,
    args: ['-e', script],
    threads: 1,
    device: 'cpu',
    precision: 'exact',
  };
  return new PeerProcess({ ...command, folder: folder.path('.'), patience });
}

const request = { job: { work: 'mlp', kind: 'train', batch: 1, state: '', inputs: '', steps: 1 } } as const;

describe('a peer', () => {
  afterAll(killPeers);

  test('that does not answer is ended, and started anew for the next case', async () => {
    const peer = peerThat('');
    const first = await peer.version();
    await expect(peer.prepare(request, '', true)).rejects.toThrow('fake: the peer ended: no answer within 0.2 s');
    await expect(peer.prepare(request, '', true)).rejects.toThrow('no answer within 0.2 s');
    expect(() => process.kill(Number(first), 0)).toThrow('ESRCH');
  });

  test('that ends tells with what message', async () => {
    const peer = peerThat(`console.error('out of memory'); process.exit(3);`);
    await peer.version();
    await expect(peer.prepare(request, '', true)).rejects.toThrow('fake: the peer ended: out of memory');
  });

  test('that cannot do a case says why and stays', async () => {
    const peer = peerThat(`console.log(JSON.stringify({ unsupported: 'no such op' }));`);
    const first = await peer.version();
    expect(await peer.prepare(request, '', true)).toBe('no such op');
    expect(await peer.version()).toBe(first);
  });
});
