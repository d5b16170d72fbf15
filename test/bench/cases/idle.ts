import { GridError, type GridCall, type GridPeer } from 'nestjs-grid/core';
import { connectRaw, echoOf, gridOptions, startGrid } from '../apis/raw.js';
import { Handler, tally } from '../apis/sources.js';
import type { BenchCase } from '../case.js';
import { compare } from '../comparison.js';
import { echoWork } from '../echo-work.js';
import { heapBytes } from '../heap.js';
import type { Finding } from '../measurement.js';
import { named, scaled } from '../run.js';
import type { Scene } from '../scene.js';

/** Streams that are opened before the others get their turn. */
const BATCH = 500;
/** A stream is pinged this often: what many of them cost shows only over such a time. */
const PING_MS = 15_000;
/** More than the limit of 10,000 that a server has for the streams of one peer. */
const MANY = 100_000;

/** Calls beside streams on which nothing happens, and what one of those holds in memory. */
function idleStreams(full: number): BenchCase {
  return {
    async serve(_, meeting) {
      await startGrid({ ...gridOptions(meeting, meeting.serverPort), limits: { openStreams: MANY } });
      return { heap: heapBytes, open: () => tally.idle };
    },

    async measure(scene) {
      const peer = await connectRaw(scene.meeting);
      const streams = new IdleStreams(scene, peer, scaled(scene.run, full));
      const memory: Finding[][] = [];
      const findings = await compare(scene, await echoWork(echoOf(peer), scene.run.payload), {
        name: `${named(full)} idle streams`,
        ...(full === MANY && scene.run.scale === 1 && { measureMs: PING_MS }),
        async enter() {
          memory.push(await streams.open());
        },
        leave: () => streams.close(),
      });
      // of few streams it would be noise, and later ones find room that the first ones have left
      return full === MANY ? [...findings, ...memory[0]!] : findings;
    },
  };
}

class IdleStreams {
  private calls: GridCall[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly peer: GridPeer,
    private readonly count: number,
  ) {}

  async open(): Promise<Finding[]> {
    const client = await heapBytes();
    const server = await this.scene.ask('heap');
    for (let left = this.count; left > 0; left -= BATCH) {
      for (let index = 0; index < Math.min(left, BATCH); index++) this.calls.push(this.openOne());
      await this.peer.ping();
    }
    await this.until(this.count);
    const perStream = (bytes: number): number => bytes / this.count;
    return [
      { variant: 'one idle stream, client', bytesPerUnit: perStream((await heapBytes()) - client) },
      { variant: 'one idle stream, server', bytesPerUnit: perStream((await this.scene.ask('heap')) - server) },
    ];
  }

  async close(): Promise<void> {
    const calls = this.calls;
    this.calls = [];
    for (const [index, call] of calls.entries()) {
      call.cancel();
      if (index % BATCH === 0) await this.peer.ping();
    }
    await this.until(0);
  }

  /** Somebody waits for its next message, as in every application. */
  private openOne(): GridCall {
    const call = this.peer.stream(Handler.Idle);
    // an end of any other kind ends this process, and by it the benchmark
    call[Symbol.asyncIterator]().next().catch((error: unknown) => {
      if (!GridError.is(error) || error.code !== 'CANCELLED') throw error;
    });
    return call;
  }

  private async until(open: number): Promise<void> {
    while ((await this.scene.ask('open')) !== open) await this.peer.ping();
  }
}

export const idleFew = idleStreams(256);
export const idleMany = idleStreams(MANY);
