import { randomUUID } from 'node:crypto';
import type { LockKind } from './lock-table.js';
import type { Voter } from './voter.js';

/** A lock that is held. */
export interface HeldLock {
  /**
   * Throws LockLostError when somebody else may have the lock by now: less than a quorum still knows the hold, or its
   * time is over because too few could be asked, or because this process slept. Ask before each step that cannot be
   * undone.
   */
  check(): void;
  /** Gives it back. Returns at once, the voters are told in the background. */
  release(): void;
}

/** Somebody else held the lock all the time, or too few nodes answered; the text says which. */
export class LockTimeoutError extends Error {
  override readonly name = 'LockTimeoutError';
}

/** A lock was held and is not any more, or nobody can tell: what it protects was not begun. */
export class LockLostError extends Error {
  override readonly name = 'LockLostError';
}

export interface QuorumLockOptions {
  /** Lifetime of a hold that is not refreshed, as the voters have it. */
  readonly ttlMs: number;
  /** Is told why a release did not reach a voter, whose table keeps the hold until its time is over. */
  readonly onUnreleased?: (resource: string, error: Error) => void;
}

const LATE = 'was not refreshed in time';
const FIRST_PAUSE_MS = 4;
const LONGEST_PAUSE_MS = 160;

/**
 * A read/write lock that exists as long as enough nodes say so. Any two sets of voters of which one is for a writer
 * share a node, and that node grants only one of them.
 */
export class QuorumLock {
  /** A writer needs more than half. */
  readonly writeQuorum: number;
  /** A reader needs as many as make it meet every writer. */
  readonly readQuorum: number;

  constructor(
    private readonly voters: readonly Voter[],
    private readonly options: QuorumLockOptions,
  ) {
    this.writeQuorum = Math.floor(voters.length / 2) + 1;
    this.readQuorum = voters.length - this.writeQuorum + 1;
  }

  /**
   * Waits for the lock, at most `timeoutMs`. `order` says which voter is asked first (numbers of the voters): all
   * that want one resource should use the same order, then they meet at its first live voter and only one goes on.
   */
  async acquire(kind: LockKind, resource: string, order: readonly number[], timeoutMs: number): Promise<HeldLock> {
    const giveUpAt = performance.now() + timeoutMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const askedAt = performance.now();
      const outcome = await this.ask(kind, resource, order);
      if (outcome.granted) return this.hold(kind, resource, outcome.uid, askedAt);
      if (performance.now() >= giveUpAt) {
        throw new LockTimeoutError(`no ${kind} lock on ${resource} within ${timeoutMs} ms: ${outcome.why}`);
      }
      // chance parts those that collided
      await new Promise((resume) => setTimeout(resume, pause * (0.5 + Math.random())));
    }
  }

  /** Drops every hold on the resource, on all voters that answer; says how many answered. */
  async forceRelease(resource: string): Promise<number> {
    const outcomes = await Promise.allSettled(this.voters.map((voter) => voter.forceRelease(resource)));
    return outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
  }

  private async ask(kind: LockKind, resource: string, order: readonly number[]): Promise<Outcome> {
    const quorum = this.quorumOf(kind);
    // a new one each time: a late release of the last attempt must not hit this one
    const uid = randomUUID();
    const asked = new Set<Voter>();
    let granted = 0;
    let why = 'no node answered';
    const vote = async (number: number): Promise<'yes' | 'no' | 'silent'> => {
      const voter = this.voter(number);
      asked.add(voter);
      try {
        const answer = await voter.acquire(kind, resource, uid);
        if (answer.granted) {
          granted++;
          return 'yes';
        }
        asked.delete(voter);
        why = `it is held by ${answer.heldBy}`;
        return 'no';
      } catch (error) {
        why = (error as Error).message;
        return 'silent';
      }
    };

    const rest = [...order];
    let first: 'yes' | 'no' | 'silent' = 'silent';
    while (first === 'silent') {
      const number = rest.shift();
      if (number === undefined) break;
      first = await vote(number);
    }
    // enough is enough: a node that hangs delays nobody, its late vote counts for the same hold
    if (first === 'yes') {
      await new Promise<void>((decided) => {
        const votes = rest.map(async (number) => {
          await vote(number);
          if (granted >= quorum) decided();
        });
        void Promise.all(votes).then(() => decided());
      });
    }
    if (granted >= quorum) return { granted: true, uid };
    // also to those that did not answer: they may have granted it all the same
    for (const voter of asked) this.tellReleased(voter, kind, resource, uid);
    return { granted: false, why: first === 'yes' ? `${granted} of ${quorum} votes, ${why}` : why };
  }

  private hold(kind: LockKind, resource: string, uid: string, askedAt: number): HeldLock {
    const quorum = this.quorumOf(kind);
    // counted from before the question was sent: no voter forgets earlier than that
    let sureUntil = askedAt + this.options.ttlMs;
    let lost: Error | undefined;
    const end = (why: string): void => {
      lost ??= new LockLostError(`the ${kind} lock on ${resource} ${why}`);
      clearInterval(timer);
    };
    const refresh = async (): Promise<void> => {
      const begunAt = performance.now();
      const votes = await Promise.allSettled(this.voters.map((voter) => voter.refresh(resource, uid)));
      const known = votes.filter((vote) => vote.status === 'fulfilled' && vote.value).length;
      const denied = votes.filter((vote) => vote.status === 'fulfilled' && !vote.value).length;
      if (known >= quorum) sureUntil = Math.max(sureUntil, begunAt + this.options.ttlMs);
      // one that did not answer may know it still: only time decides then
      const left = this.voters.length - denied;
      if (left < quorum) end(`was lost: at most ${left} of ${quorum} nodes still know it`);
      else if (performance.now() >= sureUntil) end(LATE);
    };
    const timer = setInterval(() => void refresh(), this.options.ttlMs / 3);
    let released = false;
    return {
      check: () => {
        if (performance.now() >= sureUntil) end(LATE);
        if (lost) throw lost;
      },
      release: () => {
        if (released) return;
        released = true;
        clearInterval(timer);
        for (const voter of this.voters) this.tellReleased(voter, kind, resource, uid);
      },
    };
  }

  /** In the background: what cannot be told to a voter now, its table forgets by itself. */
  private tellReleased(voter: Voter, kind: LockKind, resource: string, uid: string): void {
    voter.release(kind, resource, uid).catch((error: Error) => this.options.onUnreleased?.(resource, error));
  }

  private quorumOf(kind: LockKind): number {
    return kind === 'write' ? this.writeQuorum : this.readQuorum;
  }

  private voter(number: number): Voter {
    const voter = this.voters[number];
    if (!voter) throw new Error(`there is no voter ${number}`);
    return voter;
  }
}

type Outcome = { granted: true; uid: string } | { granted: false; why: string };
