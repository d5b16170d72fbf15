import { GridError, handled } from '../errors/index.js';
import type { CallOptions } from './call-options.js';
import { isThenable } from './result-kind.js';
import { checked, type StandardSchema } from './standard-schema.js';
import type { Target } from './target.js';

// The schemas of a contract at the caller, for calls with the option `validate`. What is sent is what the caller gave:
// a schema that changes values does so at the handler side, once. Nobody can wait here, so it has to answer at once.

const WHAT = { payload: 'the payload', input: 'a message of the input', answer: 'the answer' } as const;

type Part = keyof typeof WHAT;

/** @throws GridError INVALID_ARGUMENT with the paths. */
export function checkSent(part: 'payload' | 'input', value: unknown, target: Target, options?: CallOptions): void {
  const schema = schemaOf(part, target, options);
  if (schema) checkedNow(schema, value, part);
}

/**
 * An answer or a message of the handler, as the schema gives it.
 * @throws GridError INTERNAL with the paths: the caller did nothing wrong.
 */
export function checkedAnswer(value: unknown, target: Target, options?: CallOptions): unknown {
  const schema = schemaOf('answer', target, options);
  if (!schema) return value;
  try {
    return checkedNow(schema, value, 'answer');
  } catch (thrown) {
    if (!GridError.is(thrown)) throw thrown;
    throw new GridError('INTERNAL', thrown.message, { details: thrown.details, cause: thrown });
  }
}

function schemaOf(part: Part, { contract }: Target, options: CallOptions | undefined): StandardSchema | undefined {
  if (!options?.validate || !contract) return undefined;
  if (part === 'payload') return contract.payload;
  if (part === 'input') return contract.kind === 'stream' ? contract.input : undefined;
  return contract.kind === 'stream' ? contract.output : contract.result;
}

function checkedNow(schema: StandardSchema, value: unknown, part: Part): unknown {
  const result = checked(schema, value, WHAT[part]);
  if (!isThenable(result)) return result;
  // its outcome comes too late to be of use: the error below is what the caller gets
  void handled(result);
  throw new GridError('INVALID_ARGUMENT', `${WHAT[part]} cannot be checked at the caller: its schema takes its time`);
}
