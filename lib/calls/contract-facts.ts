import { GridError } from '../errors/index.js';
import type { RequestContract, StreamContract } from './contract.js';
import { MOST_CAPACITY } from './handler-spec.js';
import { shownOption } from './option-names.js';
import { MAX_HANDLER_ID } from './pattern.js';

/** What one fact of a contract must be. */
interface Rule {
  readonly needed?: true;
  readonly allowed: string;
  readonly fits: (value: unknown) => boolean;
}

/** `kind` is none: it may come along from a contract that was spread, and does not count. Nor do the types. */
type Rules<C> = Readonly<Record<Exclude<keyof C, 'kind' | '~types'>, Rule>>;

const SCHEMA: Rule = { allowed: 'a Standard Schema, as zod, valibot and arktype make them', fits: isSchema };

const REQUEST: Rules<RequestContract> = {
  id: { needed: true, allowed: `an integer from 1 to ${MAX_HANDLER_ID}`, fits: isHandlerId },
  name: { needed: true, allowed: 'a string that is not empty', fits: isName },
  codec: { allowed: 'an object with encode and decode, like json()', fits: isCodec },
  payload: SCHEMA,
  result: SCHEMA,
};

const { result: _, ...SHARED } = REQUEST;

const STREAM: Rules<StreamContract> = {
  ...SHARED,
  input: SCHEMA,
  output: SCHEMA,
  inCapacity: capacity(0),
  outCapacity: capacity(1),
};

const RULES: Readonly<Record<'request' | 'stream', Readonly<Record<string, Rule>>>> = {
  request: REQUEST,
  stream: STREAM,
};

/**
 * Where a contract is made, not at each of its calls: the compiler sees nothing in JavaScript, no range of a number,
 * and no misspelled name in what comes by a variable.
 * @throws GridError INVALID_ARGUMENT that names the contract.
 */
export function verifyContractFacts(kind: 'request' | 'stream', facts: unknown): void {
  if (typeof facts !== 'object' || facts === null) {
    throw new GridError('INVALID_ARGUMENT', `a contract is made of an object, not of ${shownOption(facts)}`);
  }
  const given = facts as Readonly<Record<string, unknown>>;
  const rules = RULES[kind];
  const unknown = Object.keys(given).find((key) => key !== 'kind' && !Object.hasOwn(rules, key));
  if (unknown !== undefined) throw wrong(given, `unknown ${unknown}; known are ${Object.keys(rules).join(', ')}`);
  for (const [key, { allowed, fits, needed }] of Object.entries(rules)) {
    const value = given[key];
    if (value === undefined ? !needed : fits(value)) continue;
    throw wrong(given, `${key} is ${shownOption(value)}; it must be ${allowed}`);
  }
  if (given['input'] !== undefined && !given['inCapacity']) {
    throw wrong(given, 'its stream takes input, so inCapacity must be at least 1');
  }
}

function capacity(least: number): Rule {
  return {
    allowed: `an integer from ${least} to ${MOST_CAPACITY}`,
    fits: (value) => isInteger(value, least, MOST_CAPACITY),
  };
}

function wrong({ id, name }: Readonly<Record<string, unknown>>, text: string): GridError {
  const which = isName(name) ? String(name) : `with the ID ${shownOption(id)}`;
  return new GridError('INVALID_ARGUMENT', `contract ${which}: ${text}`);
}

function isHandlerId(value: unknown): boolean {
  return isInteger(value, 1, MAX_HANDLER_ID);
}

function isInteger(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most;
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isCodec(value: unknown): boolean {
  return isMethodOf(value, 'encode') && isMethodOf(value, 'decode');
}

/** Those of arktype are functions. */
function isSchema(value: unknown): boolean {
  const isOne = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isOne && isMethodOf((value as Readonly<Record<string, unknown>>)['~standard'], 'validate');
}

function isMethodOf(owner: unknown, name: string): boolean {
  return typeof (owner as Readonly<Record<string, unknown>> | null | undefined)?.[name] === 'function';
}
