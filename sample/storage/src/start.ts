import { fileURLToPath } from 'node:url';
import { Checklist } from './launcher/checklist.js';
import { Cluster } from './launcher/cluster.js';
import { Ledger } from './launcher/ledger.js';
import { readOptions, USAGE, type LauncherOptions } from './launcher/options.js';
import { healed } from './launcher/proofs/healed.js';
import { importFolder } from './launcher/proofs/import.js';
import { listing } from './launcher/proofs/listing.js';
import { oneKey } from './launcher/proofs/one-key.js';
import { powerCut } from './launcher/proofs/power-cut.js';
import { readBack } from './launcher/proofs/read-back.js';
import { traffic } from './launcher/proofs/traffic.js';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
/** The node that is killed. */
const VICTIM = 1;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

// Starts a cluster of storage nodes, each a process of its own, imports real files and shows that the storage holds
// what it promises.
try {
  const options = readOptions(process.argv.slice(2), PROJECT);
  if (options) await launch(options);
  else say(USAGE);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

async function launch(options: LauncherOptions): Promise<void> {
  const cluster = new Cluster(options);
  // a second signal does not wait any more: the exit handler of the cluster kills what is left
  let stopping = false;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(code);
      stopping = true;
      say('\nstopping');
      void cluster
        .stop()
        .catch((error: Error) => say(error.message))
        .finally(() => process.exit(code));
    });
  }
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });

  say(`${options.nodes} nodes, data in ${cluster.folder}`);
  // what breaks because everything is being stopped is not worth a word
  const checklist = new Checklist((line) => void (stopping || say(line)));
  await prove(checklist, cluster, options);
  if (stopping) return;
  if (checklist.failure !== undefined) {
    for (const { number, lastOutput } of cluster.nodes) {
      if (lastOutput) say(`\nlast output of node ${number}:\n${lastOutput}`);
    }
  }
  if (options.once || checklist.failure !== undefined) {
    const held = await checklist.conclude('the nodes end when they are told to', () => cluster.stop());
    process.exit(held ? 0 : 1);
  }
  say(invitation(cluster));
}

async function prove(checklist: Checklist, cluster: Cluster, { source }: LauncherOptions): Promise<void> {
  const ledger = new Ledger();
  await checklist.prove('the nodes agree on one deployment', async () => {
    await cluster.start();
    const ids = new Set(await Promise.all(cluster.nodes.map(async ({ front }) => (await front.health()).deployment)));
    const [id] = ids;
    if (ids.size !== 1 || !id) throw new Error(`they are of ${[...ids].join(', ')}`);
    // a folder given by --data may hold objects of an earlier run
    for (const { key, size, sha256 } of await cluster.node(0).front.list()) ledger.stored(key, size, sha256);
    return ledger.size === 0 ? id : `${id}, with ${ledger.size} objects of an earlier run`;
  });
  await checklist.prove('the folder is imported', () => importFolder(cluster, ledger, source));
  await checklist.prove('every file reads back through another node with equal SHA-256', () =>
    readBack(cluster, ledger),
  );
  await checklist.prove('the listing is complete', () => listing(cluster, ledger));
  await checklist.prove('a node killed during writes loses nothing that was acknowledged', () =>
    powerCut(cluster, ledger, cluster.node(VICTIM)),
  );
  await checklist.prove('the node comes back and is healed', () => healed(cluster, ledger, cluster.node(VICTIM)));
  await checklist.prove('many writers on one key never leave a torn object', () => oneKey(cluster, ledger));
  await checklist.prove('the listing is complete to the end', () => listing(cluster, ledger));
  if (checklist.failure === undefined) {
    const table = await traffic(cluster);
    say(`\n${table.join('\n')}`);
  }
}

function invitation({ nodes }: Cluster): string {
  const [one, two, three] = nodes.map(({ url }) => url);
  return `
The cluster stays up until Ctrl-C. Any node serves any object:
${nodes.map(({ number, url, pid }) => `  node ${number}  ${url}  pid ${pid}`).join('\n')}

Try:
  curl -T README.md ${one}/objects/hello/readme.md
  curl ${two}/objects/hello/readme.md
  curl -I ${three}/objects/hello/readme.md
  curl '${one}/objects?prefix=hello/'
  curl -X DELETE ${two}/objects/hello/readme.md
  curl ${one}/health
  curl ${one}/disks
  curl ${one}/stats
`;
}
