import { cpus } from 'node:os';
import { GridManager } from 'nestjs-grid/core';
import { freePorts } from 'nestjs-grid/testing';
import { ADDRESS, type Meeting } from './api.js';
import { apiEntry } from './api-table.js';
import { gridOptions } from './apis/raw.js';
import { Broker } from './broker.js';
import { newCertificate } from './certificate.js';
import { Child } from './child.js';
import { measurementOf, type Measurement } from './measurement.js';
import type { Role, Sample } from './process-message.js';
import type { Run } from './run.js';
import type { Usage } from './scene.js';

/** Beside the measured times: far more than everything needs on a busy machine. */
const PATIENCE_MS = 120_000;

/** Fresh processes, one run, all gone afterwards. `profile`: a folder for the CPU profiles of client and server. */
export async function runPair(run: Run, profile?: string): Promise<Measurement[]> {
  const meeting = await newMeeting(run);
  const { broker: brokerName } = apiEntry(run.api);
  const broker = brokerName && (await Broker.start(brokerName, meeting.crowdPort));
  const pair = new Pair(run, meeting, broker, profile);
  const patienceMs = PATIENCE_MS + 20 * (run.warmUpMs + run.measureMs);
  const hang = setTimeout(() => pair.fail(`gave no result within ${patienceMs} ms`), patienceMs);
  try {
    return await pair.measure();
  } finally {
    clearTimeout(hang);
    await pair.stop();
    await broker?.stop();
  }
}

/**
 * Of two grids the names decide which one dials, and what that one sends is masked. Here it is the client, as with
 * every other transport: by chance, the rates of streams would differ by a tenth.
 */
async function newMeeting({ tls }: Run): Promise<Meeting> {
  const [first, second, crowdPort] = (await freePorts(3)) as [number, number, number];
  const certificate = tls ? await newCertificate(ADDRESS) : undefined;
  const meeting: Meeting = { serverPort: first, clientPort: second, crowdPort, ...(certificate && { certificate }) };
  const client = new GridManager(gridOptions(meeting, second));
  return client.stats().peers[0]!.dials ? meeting : { ...meeting, serverPort: second, clientPort: first };
}

interface Mark {
  readonly at: number;
  readonly machine: number;
  readonly server: Sample;
  readonly client: Sample;
  /** CPU seconds of the broker, where there is one. */
  readonly broker: number;
}

class Pair {
  private readonly server: Child;
  private readonly client: Child;
  private crowd: Child | undefined;
  private mark: Mark | undefined;

  constructor(
    private readonly run: Run,
    private readonly meeting: Meeting,
    private readonly broker: Broker | undefined,
    profile: string | undefined,
  ) {
    this.server = this.start('server', profile);
    this.client = this.start('client', profile);
  }

  async measure(): Promise<Measurement[]> {
    await this.server.expect('ready');
    this.client.tell({ kind: 'go' });
    for (;;) {
      const message = await this.client.next();
      switch (message.kind) {
        case 'begin':
          this.mark = await this.marked('begin');
          this.client.tell({ kind: 'done' });
          break;
        case 'end':
          this.client.tell({ kind: 'done', usage: usageBetween(this.mark!, await this.marked('end')) });
          break;
        case 'ask':
          this.server.tell(message);
          this.client.tell({ kind: 'done', value: (await this.server.expect('answer')).value });
          break;
        case 'crowd':
          await this.gather(message.present);
          this.client.tell({ kind: 'done' });
          break;
        case 'result':
          return message.findings.map((finding) => measurementOf(this.run, finding));
        default:
          throw new Error(`${message.kind} came from the client`);
      }
    }
  }

  fail(text: string): void {
    this.server.fail(text);
    this.client.fail(text);
  }

  async stop(): Promise<void> {
    await Promise.all([this.client.stop(), this.crowd?.stop(), this.server.stop()]);
  }

  private start(role: Role, profile?: string): Child {
    return new Child({ role, run: this.run, meeting: this.meeting, profile });
  }

  private async gather(present: boolean): Promise<void> {
    if (!present) {
      await this.crowd?.stop();
      this.crowd = undefined;
      return;
    }
    this.crowd = this.start('crowd');
    await this.crowd.expect('ready');
  }

  private async marked(at: 'begin' | 'end'): Promise<Mark> {
    const [server, client] = await Promise.all([this.server.sample(at), this.client.sample(at)]);
    return { at: performance.now(), machine: machineSeconds(), server, client, broker: this.broker?.cpuSeconds ?? 0 };
  }
}

function usageBetween(begin: Mark, end: Mark): Usage {
  const { server, client } = end;
  const cpuSeconds = cpuOf(end) - cpuOf(begin);
  const foreign = (end.machine - begin.machine - cpuSeconds) / ((end.at - begin.at) / 1000);
  const growth = Math.max(server.rssMb, server.peakRssMb > begin.server.peakRssMb ? server.peakRssMb : 0);
  const serverGrowthMb = growth - begin.server.rssMb;
  return { cpuSeconds, foreignCores: Math.max(0, foreign), server, client, serverGrowthMb };
}

function cpuOf({ server, client, broker }: Mark): number {
  return server.cpuSeconds + client.cpuSeconds + broker;
}

/** CPU seconds that the whole machine has worked since it started. */
function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}
