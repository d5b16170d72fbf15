import { subrouteId } from '../wire/index.js';
import type { Codec } from './codec.js';
import { isContract, type Contract } from './contract.js';
import { checkHandlerId, resolvePattern, type Pattern, type Route } from './pattern.js';

/** What is called, in the words of the wire. */
export interface Target {
  readonly handler: number;
  /** The 32 bytes of the subroute id. */
  readonly subroute: Uint8Array | undefined;
  /** Handler ID and subroute as text, the latter alone for what is no handler ID; undefined without a subroute. */
  readonly pattern: string | undefined;
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
    return target(resolvePattern(pattern, this.prefix), undefined);
  }

  private ofContract(contract: Contract): Target {
    const { id, name } = contract;
    checkHandlerId(id, name);
    return target(resolvePattern(id, this.prefix), contract);
  }

  private remember(text: string, target: Target): Target {
    if (this.byText.size >= MEMORY) this.byText.clear();
    this.byText.set(text, target);
    return target;
  }
}

function target({ handler, subroute, name }: Route, contract: Contract | undefined): Target {
  return {
    handler,
    subroute: subroute === undefined ? undefined : subrouteId(handler, subroute),
    pattern: subroute === undefined ? undefined : name,
    name: contract === undefined ? name : contract.name,
    contract,
    codec: contract?.codec,
  };
}
