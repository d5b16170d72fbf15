import type { GridError } from '../errors/index.js';
import type { Clock, Timer } from '../time/index.js';
import { wireTimeOf, type PongBody, type WireTime } from '../wire/index.js';

/** Ticks in one ping interval: the connection ends at most one tick after the last pong has become too old. */
const TICKS_PER_INTERVAL = 4;

/** "older than two intervals" (wire spec §8). */
const LIMIT_TICKS = 2 * TICKS_PER_INTERVAL;

/** The least time between two pings that the application asked for: a peer may cap the pings of a second. */
const ASKED_GAP_MS = 20;

/** Pings whose pong is still expected; a peer that leaves some unanswered makes no more of them. */
const MAX_SENT = 4;

export interface HeartbeatPorts {
  readonly clock: Clock;
  /** `intervals.pingMs`. */
  readonly pingMs: number;
  /** True: it stands behind all that was sent so far. */
  readonly sendPing: (time: WireTime) => boolean;
  /** What was sent up to then, on the clock, has come to the peer. */
  readonly onArrived: (sentAt: number) => void;
  readonly onRoundTrip: (milliseconds: number) => void;
  /** True: since it was asked last the peer was heard, though no message of it need be whole. */
  readonly moves: () => boolean;
  /** The peer is silent for too long. */
  readonly onSilence: () => void;
}

interface SentPing {
  readonly time: WireTime;
  readonly sentAt: number;
  /** It stands behind all that was sent before. */
  inOrder: boolean;
  readonly onAnswered: (() => void) | undefined;
}

interface Asked {
  readonly resolve: (milliseconds: number) => void;
  readonly reject: (error: GridError) => void;
}

/**
 * Pings the peer and judges by its pongs whether it is alive (wire spec §8). The age of the last pong is counted in
 * ticks of our own event loop: a process that was stopped sees one tick pass however long it slept, and so hears what
 * arrived meanwhile before it judges. A tick in which much moved is a sign of life as good as a pong: behind a large
 * frame on a slow link those wait longer than a dead peer is waited for, and the system takes of it in large parts,
 * with ticks in between in which nothing moves.
 */
export class Heartbeat {
  private ticksSincePong = 0;
  private ticksToPing = TICKS_PER_INTERVAL;
  private tick: Timer;
  /** Pings without their pong, oldest first. */
  private readonly sent: SentPing[] = [];
  private readonly asked: Asked[] = [];
  private askedTimer: Timer | undefined = undefined;
  private askedAt = -ASKED_GAP_MS;
  private stopped: GridError | undefined = undefined;
  /** The last round trip in milliseconds. */
  lastPingMs: number | undefined = undefined;

  constructor(private readonly ports: HeartbeatPorts) {
    this.tick = this.startTick();
  }

  /** The round trip of the next ping that is answered; one is sent within 20 ms unless one travels already. */
  ping(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.stopped) {
        reject(this.stopped);
        return;
      }
      this.asked.push({ resolve, reject });
      if (this.sent.length > 0 || this.askedTimer) return;
      const waitMs = this.askedAt + ASKED_GAP_MS - this.ports.clock.now();
      if (waitMs <= 0) this.sendAsked();
      else this.askedTimer = this.ports.clock.setTimer(waitMs, () => this.sendAsked());
    });
  }

  /** Pings now, whatever travels already. The pong tells that everything sent before it has arrived at the peer. */
  probe(onAnswered: () => void): void {
    this.send(onAnswered);
  }

  /**
   * Any pong is a sign of life. It answers the ping whose time it copied, else the oldest one: the round trip is
   * measured on our own clock and never computed from what the peer sent (B26, H9).
   */
  handlePong({ time }: PongBody): void {
    this.ticksSincePong = 0;
    const index = time ? this.sent.findIndex((ping) => sameTime(ping.time, time)) : 0;
    const answered = this.sent.splice(0, Math.max(0, index) + 1);
    const ping = answered.at(-1);
    if (!ping) return;
    for (const { onAnswered } of answered) onAnswered?.();
    if (ping.inOrder) this.ports.onArrived(ping.sentAt);
    const milliseconds = this.ports.clock.now() - ping.sentAt;
    this.lastPingMs = milliseconds;
    this.ports.onRoundTrip(milliseconds);
    for (const asked of this.asked.splice(0)) asked.resolve(milliseconds);
  }

  stop(error: GridError): void {
    this.stopped = error;
    this.tick.cancel();
    this.askedTimer?.cancel();
    for (const asked of this.asked.splice(0)) asked.reject(error);
  }

  private startTick(): Timer {
    return this.ports.clock.setTimer(this.ports.pingMs / TICKS_PER_INTERVAL, () => this.handleTick());
  }

  private handleTick(): void {
    this.ticksSincePong = this.ports.moves() ? 0 : this.ticksSincePong + 1;
    if (this.ticksSincePong > LIMIT_TICKS) {
      this.ports.onSilence();
      return;
    }
    this.tick = this.startTick();
    if (--this.ticksToPing > 0) return;
    this.ticksToPing = TICKS_PER_INTERVAL;
    this.send();
  }

  private sendAsked(): void {
    this.askedTimer = undefined;
    this.askedAt = this.ports.clock.now();
    this.send();
  }

  private send(onAnswered?: () => void): void {
    const { clock } = this.ports;
    const time = wireTimeOf(clock.date());
    if (this.sent.length === MAX_SENT) this.forgetOne();
    const ping: SentPing = { time, sentAt: clock.now(), inOrder: false, onAnswered };
    this.sent.push(ping);
    ping.inOrder = this.ports.sendPing(time);
  }

  /** The oldest ping, but not one whose answer somebody waits for: behind a large frame pongs are long on their way. */
  private forgetOne(): void {
    const index = this.sent.findIndex(({ onAnswered }) => onAnswered === undefined);
    this.sent.splice(Math.max(0, index), 1);
  }
}

function sameTime(a: WireTime, b: WireTime): boolean {
  return a.seconds === b.seconds && a.nanos === b.nanos;
}
