import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../time/index.js';

/** So long an answer serves further dials: one that came too late for its own dial serves the next. */
const FRESH_MS = 5_000;

type Given = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

interface Question {
  /** Who waits for its answer; undefined: it was answered. */
  waiting: Given[] | undefined;
  addresses: LookupAddress[];
  answeredAt: number;
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
    private readonly system: typeof lookup = lookup,
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

  private ask(hostname: string, options: LookupOptions, give: Given): void {
    const known = this.questions.get(hostname);
    if (known?.waiting) {
      known.waiting.push(give);
      return;
    }
    if (known && this.clock.now() - known.answeredAt < FRESH_MS) {
      process.nextTick(give, null, known.addresses);
      return;
    }
    const question: Question = { waiting: [give], addresses: [], answeredAt: 0 };
    this.questions.set(hostname, question);
    this.system(hostname, { ...options, all: true }, (error, addresses) => {
      const { waiting = [] } = question;
      question.waiting = undefined;
      question.addresses = addresses;
      question.answeredAt = this.clock.now();
      // what was not found is asked anew at the next dial
      if (error) this.questions.delete(hostname);
      for (const each of waiting) each(error, addresses);
    });
  }
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
