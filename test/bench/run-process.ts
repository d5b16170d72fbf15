import { CASES } from './case-table.js';
import { CpuProfile } from './cpu-profile.js';
import type { Assignment, FromRun, Sample, ToRun } from './process-message.js';
import { fillHeap } from './resident-heap.js';
import type { Answers, Scene, Usage } from './scene.js';

const MB = 1024 * 1024;
const { role, run, meeting, profile } = JSON.parse(process.argv[2]!) as Assignment;
const cpuProfile = profile === undefined ? undefined : new CpuProfile(profile, run, role);
const send = (message: FromRun): void => void process.send?.(message);

let answers: Answers = {};
let onDone: (done: Extract<ToRun, { kind: 'done' }>) => void = () => {};
let onGo = (): void => {};
const go = new Promise<void>((resolve) => {
  onGo = resolve;
});

process.on('disconnect', () => process.exit());
process.on('message', (message: ToRun) => {
  handle(message).catch(fail);
});

async function handle(message: ToRun): Promise<void> {
  switch (message.kind) {
    case 'sample?':
      if (message.at === 'begin') await cpuProfile?.begin();
      send({ kind: 'sample', sample: sample() });
      if (message.at === 'end') await cpuProfile?.end();
      return;
    case 'ask':
      return send({ kind: 'answer', value: await answers[message.question]!() });
    case 'go':
      return onGo();
    case 'done':
      return onDone(message);
  }
}

function sample(): Sample {
  const { user, system } = process.cpuUsage();
  const peakRssMb = process.resourceUsage().maxRSS / 1024;
  return { cpuSeconds: (user + system) / 1e6, rssMb: process.memoryUsage.rss() / MB, peakRssMb };
}

/** Tells something to the starting process and waits until it is dealt with. */
function told(message: FromRun): Promise<{ readonly usage?: Usage; readonly value?: number }> {
  return new Promise((resolve) => {
    onDone = resolve;
    send(message);
  });
}

const scene: Scene = {
  run,
  meeting,
  begin: async () => void (await told({ kind: 'begin' })),
  end: async () => (await told({ kind: 'end' })).usage!,
  ask: async (question) => (await told({ kind: 'ask', question })).value!,
  crowd: async (present) => void (await told({ kind: 'crowd', present })),
};

function fail(error: unknown): void {
  send({ kind: 'failed', text: error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error) });
}

try {
  fillHeap(run.heapMb * MB);
  const bench = await CASES[run.case].load(run.part);
  if (role === 'client') {
    // what the case needs is loaded while the server starts; it connects when that takes calls
    await go;
    send({ kind: 'result', findings: await bench.measure(scene) });
  } else {
    if (role === 'server') answers = await bench.serve(run, meeting);
    else await bench.join!(run, meeting);
    send({ kind: 'ready' });
  }
} catch (error) {
  fail(error);
}
