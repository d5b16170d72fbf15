import { GridError, type CallInterceptor, type Grid, type HandlerInterceptor, type OutgoingCall } from 'nestjs-grid';
import type { Journal } from './journal.js';
import type { Standstill } from './standstill.js';

const ID = 'chaos-call';
/** As the grid has it for a request whose caller gave none. */
const REQUEST_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 1_000;
/** From then on an open call is told of, once. */
const HANGS_AFTER_MS = 5_000;

interface OpenCall {
  readonly id: string;
  readonly pattern: string;
  readonly startedAt: number;
  readonly timeoutMs: number | undefined;
  /** What stood still before. */
  readonly lostBefore: number;
  told: boolean;
}

/** Writes down each call of one grid: at the caller when it is over, at the handler before it runs. */
export class CallTap {
  private readonly calls = new Set<OpenCall>();
  private readonly timer: NodeJS.Timeout;
  private number = 0;

  /** @param caller Names this grid in this process, and no other one of the run. */
  constructor(
    private readonly caller: string,
    private readonly journal: Journal,
    private readonly standstill: Standstill,
  ) {
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Calls that this host made and that are not over. */
  get open(): number {
    return this.calls.size;
  }

  attach(grid: Grid): void {
    grid.intercept(this.outgoing);
    grid.interceptHandlers(this.incoming);
  }

  end(): void {
    clearInterval(this.timer);
  }

  private readonly incoming: HandlerInterceptor = ({ context }, run) => {
    const id = context.getMetadata()[ID];
    if (id !== undefined) this.journal.note('r', id);
    run();
    return undefined;
  };

  private readonly outgoing: CallInterceptor = {
    request: async (call, next) => {
      const open = this.begin(call, call.options.timeoutMs ?? REQUEST_TIMEOUT_MS);
      try {
        const answer = await next(marked(call, open));
        this.over(open, undefined);
        return answer;
      } catch (error) {
        this.over(open, error);
        throw error;
      }
    },
    stream: (call, next) => {
      const open = this.begin(call, call.options.timeoutMs);
      try {
        const stream = next(marked(call, open));
        stream.done.then(
          () => this.over(open, undefined),
          (error: unknown) => this.over(open, error),
        );
        return stream;
      } catch (error) {
        this.over(open, error);
        throw error;
      }
    },
  };

  private begin(call: OutgoingCall, timeoutMs: number | undefined): OpenCall {
    const open: OpenCall = {
      id: `${this.caller}/${this.number++}`,
      pattern: call.pattern,
      startedAt: performance.now(),
      timeoutMs,
      lostBefore: this.standstill.totalMs,
      told: false,
    };
    this.calls.add(open);
    return open;
  }

  private over(open: OpenCall, error: unknown): void {
    this.calls.delete(open);
    const code = error === undefined ? 'ok' : GridError.is(error) ? error.code : 'FOREIGN';
    const notSent = GridError.is(error) && error.notSent ? 1 : 0;
    this.journal.note('e', open.id, code, notSent, Math.ceil(this.lateMs(open)));
  }

  private look(): void {
    for (const open of this.calls) {
      const late = this.lateMs(open);
      if (open.told || late < HANGS_AFTER_MS) continue;
      open.told = true;
      this.journal.note('h', open.id, Math.ceil(late));
    }
  }

  private lateMs({ startedAt, timeoutMs, lostBefore }: OpenCall): number {
    if (timeoutMs === undefined) return 0;
    const lost = this.standstill.totalMs - lostBefore;
    return Math.max(0, performance.now() - startedAt - timeoutMs - lost);
  }
}

function marked(call: OutgoingCall, { id }: OpenCall): OutgoingCall {
  return { ...call, options: { ...call.options, metadata: { ...call.options.metadata, [ID]: id } } };
}
