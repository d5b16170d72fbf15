import { subrouteId } from '../wire/index.js';
import type { Codec } from './codec.js';
import { isContract, type Contract } from './contract.js';
import { checkHandlerId, resolvePattern, type Pattern } from './pattern.js';

/** What is called, in the words of the wire. */
export interface Target {
  readonly handler: number;
  /** The 32 bytes of the subroute id. */
  readonly subroute: Uint8Array | undefined;
  /** For texts: as the caller wrote it. */
  readonly name: string;
  readonly contract: Contract | undefined;
  readonly codec: Codec | undefined;
}

/** Patterns made of strings may be many; past so many the memory starts anew. */
const MEMORY = 4096;

/** The targets of one prefix, remembered: a subroute id costs a hash. */
export class Targets {
  private readonly byId: (Target | undefined)[] = [];
  private readonly byText = new Map<string, Target>();
  private readonly byContract = new WeakMap<Contract, Target>();

  constructor(private readonly prefix: string | undefined) {}

  /** @throws GridError INVALID_ARGUMENT for what is no pattern. */
  of(to: Pattern | Contract): Target {
    if (isContract(to)) {
      const known = this.byContract.get(to);
      if (known) return known;
      const target = this.ofContract(to);
      this.byContract.set(to, target);
      return target;
    }
    switch (typeof to) {
      case 'number':
        // what is no handler ID throws, and is not remembered
        return this.byId[to] ?? (this.byId[to] = this.ofPattern(to));
      case 'string':
        return this.byText.get(to) ?? this.remember(to, this.ofPattern(to));
      default:
        // objects may change after they were seen
        return this.ofPattern(to);
    }
  }

  private ofPattern(pattern: Pattern): Target {
    const { handler, subroute, name } = resolvePattern(pattern, this.prefix);
    return { handler, subroute: this.idOf(handler, subroute), name, contract: undefined, codec: undefined };
  }

  private ofContract(contract: Contract): Target {
    const { id, name, codec } = contract;
    checkHandlerId(id, name);
    return { handler: id, subroute: this.idOf(id, this.prefix), name, contract, codec };
  }

  private idOf(handler: number, subroute: string | undefined): Uint8Array | undefined {
    return subroute === undefined ? undefined : subrouteId(handler, subroute);
  }

  private remember(text: string, target: Target): Target {
    if (this.byText.size >= MEMORY) this.byText.clear();
    this.byText.set(text, target);
    return target;
  }
}
