import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../time/index.js';

/** What took longer may have come too late for the dial that asked. */
const SLOW_MS = 1_000;
/** So long a slow answer serves the dials that follow. */
const FRESH_MS = 5_000;

type Given = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

interface Question {
  /** Who waits for its answer; undefined: it was answered. */
  waiting: Given[] | undefined;
  addresses: LookupAddress[];
  freshUntil: number;
}

/**
 * Looks names up as `dns.lookup` does, each of them once at a time. A question to the system cannot be taken back, and
 * takes one of the few threads that the whole process has for them: while a name server is silent, one more question
 * for each attempt to reach a host would stand in front of all others.
 */
export class Lookups {
  private readonly questions = new Map<string, Question>();

  /** `system`: how names are looked up. */
  constructor(
    private readonly clock: Clock,
    private readonly system: Pick<typeof dns, 'lookup'> = dns,
  ) {}

  /** As the option `lookup` of Node's sockets. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const { all, ...asked } = options;
    this.ask(hostname, asked, (error, addresses) => {
      const [first] = addresses;
      if (error || !first) callback(error ?? notFound(hostname), []);
      else if (all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };

  /** True while the system has not answered what the addresses of that name are. */
  pending(hostname: string): boolean {
    return this.questions.get(hostname)?.waiting !== undefined;
  }

  private ask(hostname: string, options: LookupOptions, give: Given): void {
    const known = this.questions.get(hostname);
    if (known?.waiting) {
      known.waiting.push(give);
      return;
    }
    const askedAt = this.clock.now();
    if (known && askedAt < known.freshUntil) {
      process.nextTick(give, null, known.addresses);
      return;
    }
    const question: Question = { waiting: [give], addresses: [], freshUntil: 0 };
    this.questions.set(hostname, question);
    const answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void => {
      const { waiting = [] } = question;
      const now = this.clock.now();
      question.waiting = undefined;
      question.addresses = addresses;
      question.freshUntil = now + FRESH_MS;
      // a host may move at any time: what is answered at once, or not found, is asked anew at the next dial
      if (error || now - askedAt < SLOW_MS) this.questions.delete(hostname);
      for (const each of waiting) each(error, addresses);
    };
    try {
      this.system.lookup(hostname, { ...options, all: true }, (error, found) => {
        // where it failed there is no list, whatever its type says
        answer(error, error ? [] : found);
      });
    } catch (fault) {
      // options that the system does not take, `family: 5`: whoever asks later may have better ones
      process.nextTick(answer, fault, []);
    }
  }
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
