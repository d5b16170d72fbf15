import { inOneLine, type GridError } from '../errors/index.js';
import type { BlockedStream, GridLogger } from '../observe/index.js';
import { LineBudget, Window, type Clock } from '../time/index.js';

/** A peer that stays away is named this often. */
export const REPEAT_MS = 60 * 60 * 1_000;

/** So many reasons of one outage are told: a peer must not fill the memory with ever new ones. */
const MOST_REASONS = 8;

/** The peer does not want us, and says why; one that is starting or closing (HTTP 503) is only away. */
export function isRefusal(error: GridError): boolean {
  return error.remote && error.code !== 'UNAVAILABLE';
}

/**
 * Of a peer that should have dialed.
 * @param refused Why we refused a connection in its name: who does so itself need not ask.
 */
export function absenceOf(peer: string, local: string, wasConnected: boolean, refused: string | undefined): string {
  const absence = `${peer} has not connected${wasConnected ? ' again' : ''}`;
  if (refused === undefined) return `${absence}; it is the one that dials: is it up, does its list hold ${local}?`;
  return `${absence}; it is the one that dials, and we refused a connection in its name: ${inOneLine(refused)}`;
}

/**
 * What is logged of one peer. A peer that is down makes a constant number of lines however often it is dialed: one when
 * it is lost (or, where it never was there, at the second failure of ours to dial, or when it has let the time pass in
 * which it should have dialed), one with each reason that is news (`isNews`), then one an hour; and one when it is
 * back. One that comes and goes all the time makes no more than its `LineBudget`, and its streams theirs.
 */
export class LinkLog {
  private failures = 0;
  private wasConnected = false;
  /** When the last line about this outage was written (`clock.now()`). */
  private lastLineAt: number | undefined = undefined;
  /** The sorts of failure that were told in this outage. */
  private readonly told = new Set<string>();
  /** The sort of the last failure, told or not. */
  private lastSort: string | undefined = undefined;
  private leaving = false;
  private stolenTold = false;
  /** Of lines about a connection of ours that another process took. */
  private readonly replacements: Window;
  private readonly budget: LineBudget;
  private readonly streamBudget: LineBudget;

  constructor(
    private readonly logger: GridLogger,
    private readonly clock: Clock,
    private readonly peer: string,
  ) {
    this.budget = new LineBudget(clock);
    this.streamBudget = new LineBudget(clock);
    this.replacements = new Window(clock, REPEAT_MS);
  }

  /** The peer goes on purpose: the line about it is this one, and its end makes none. */
  draining(reason: string): void {
    this.leaving = true;
    this.say(`${this.peer} is leaving: ${inOneLine(reason)}`);
  }

  lost(error: GridError): void {
    if (this.leaving) return;
    this.say(`lost the connection to ${this.peer}: ${inOneLine(error.message)}`);
  }

  /**
   * The peer replaced our connection by that of another process of our name. Two that take it from each other in turns
   * make one line an hour.
   */
  replaced(local: string, pauseMs: number): void {
    if (!this.replacements.turned()) return;
    this.say(`another process calls itself ${local}: ${this.peer} took its connection for ours; we wait ${pauseMs} ms`);
  }

  /** A dial that led to nothing. */
  failed(error: GridError): void {
    this.failures++;
    // the same one, whatever numbers are in it
    const sort = error.message.replaceAll(/\d+/g, '');
    const repeated = sort === this.lastSort;
    this.lastSort = sort;
    if (!this.isNews(error, sort, repeated)) return;
    if (this.dueAgain) this.told.clear();
    this.told.add(sort);
    const why = inOneLine(error.message);
    if (isRefusal(error)) this.say(`${this.peer} refuses us: ${why}`);
    else this.say(`cannot reach ${this.peer}: ${why} (${this.failures} attempts; it is tried on)`);
  }

  /** The peer, which is the one that dials, has not done so for long. `refused`: see `absenceOf`. */
  absent(local: string, refused: string | undefined): void {
    if (this.lastLineAt !== undefined && !this.dueAgain) return;
    this.say(absenceOf(this.peer, local, this.wasConnected, refused));
  }

  connected(): void {
    this.wasConnected = true;
    // who reads at the level debug wants all of them
    if (this.lastLineAt === undefined) this.logger.debug?.(`connected to ${this.peer}`);
    else this.write('log', `connected to ${this.peer} again`);
    this.failures = 0;
    this.leaving = false;
    this.lastLineAt = undefined;
    this.told.clear();
    this.lastSort = undefined;
  }

  /** Another process uses the name of the peer while the first one is still alive. Told once. */
  stolen(text: string): void {
    if (this.stolenTold) return;
    this.stolenTold = true;
    this.logger.warn(text);
  }

  /** Both ends of a stream wait for the other to read. Their own mistake: the link is well. */
  blocked({ direction, handler, forMs, unreadHere, unreadThere }: BlockedStream): void {
    const which = `stream ${handler} ${direction === 'outgoing' ? 'to' : 'from'} ${this.peer}`;
    const unread = `${unreadHere} messages wait unread here, ${unreadThere} at the peer`;
    const text = `${which} is blocked both ways for ${forMs} ms: ${unread}`;
    this.streamBudget.spend(text, (line) => this.logger.warn(line));
  }

  /**
   * A refusal counts at once, else it takes two in a row. That a peer which was there is away has been told when it was
   * lost; what keeps it away when it is back (`isMisfit`) has not. Of one that never was there no reason is known:
   * hosts that start together find each other's ports closed before they find what is really wrong.
   */
  private isNews(error: GridError, sort: string, repeated: boolean): boolean {
    if (this.dueAgain) return true;
    if (!isRefusal(error)) {
      if (this.lastLineAt === undefined) return this.failures === 2;
      if (!repeated || (this.wasConnected && !isMisfit(error))) return false;
    }
    return !this.told.has(sort) && this.told.size < MOST_REASONS;
  }

  private get dueAgain(): boolean {
    return this.lastLineAt !== undefined && this.clock.now() - this.lastLineAt >= REPEAT_MS;
  }

  private say(text: string): void {
    this.lastLineAt = this.clock.now();
    this.write('warn', text);
  }

  private write(level: 'log' | 'warn', text: string): void {
    this.budget.spend(text, (line) => this.logger[level](line));
  }
}

/** How Node's and OpenSSL's codes begin for TLS that fails, and for an answer that is no HTTP. */
const PROTOCOLS = /^(?:EPROTO$|HPE_|ERR_(?:SSL|OSSL|TLS)_)/;
/** What stands in OpenSSL's codes for a certificate that is not accepted. */
const CERTIFICATES = /CERT|CRL|ISSUER|SIGNATURE|PURPOSE|INVALID_CA|PATH_LENGTH|HOSTNAME/;
/** What this host itself has none left of: file descriptors, ports, memory. The peer may be well. */
const WANTS = /^(?:EMFILE|ENFILE|EADDRNOTAVAIL|ENOBUFS|ENOMEM)$/;

/** No waiting makes a connection of what answers at the peer's address, or of what this host has. */
function isMisfit(error: GridError): boolean {
  if (error.code !== 'UNAVAILABLE') return true;
  // what a dialer of the application threw may be anything: none of its code runs here
  const code: unknown = Object.getOwnPropertyDescriptor(Object(error.cause), 'code')?.value;
  return typeof code === 'string' && [PROTOCOLS, CERTIFICATES, WANTS].some((codes) => codes.test(code));
}
