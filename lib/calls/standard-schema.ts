import { andMore, GridError, inOneLine, keptPart, textOf } from '../errors/index.js';

/** Any schema of zod, valibot, arktype, …: the Standard Schema interface, version 1 (https://standardschema.dev). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** What goes into a schema: the caller's type. */
export type InputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input'];
/** What comes out of a schema: another type where it changes values. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output'];

/**
 * The checked value, a promise of it for schemas that take their time.
 * @throws GridError INVALID_ARGUMENT with the paths.
 */
export function checked(schema: StandardSchema, value: unknown, what: string): unknown {
  const result = schema['~standard'].validate(value);
  return 'then' in result ? result.then((late) => unwrap(late, what)) : unwrap(result, what);
}

function unwrap(result: SchemaResult<unknown>, what: string): unknown {
  if (!result.issues) return result.value;
  const { length } = result.issues;
  const issues = result.issues
    .slice(0, KEPT_ISSUES)
    .map((issue) => ({ path: pathOf(issue), message: beginOf(textOf(issue)) }));
  const named = issues.slice(0, NAMED_ISSUES);
  const texts = named.map(({ path, message }) => inOneLine(path === '' ? message : `${path}: ${message}`));
  if (length > named.length) texts.push(`and ${length - named.length} more`);
  const text = `${what} does not fit the contract: ${texts.join('; ')}`;
  const details = length > issues.length ? [...issues, andMore(length - issues.length)] : issues;
  throw new GridError('INVALID_ARGUMENT', text, { details });
}

/** Of so many the text tells; the details, which an answer has to hold beside it, tell of as many as it can. */
const NAMED_ISSUES = 10;
/** Of so many the details tell: an answer holds fewer, and a payload may have a million. */
const KEPT_ISSUES = 256;
/** So much is kept of a path and of a message: both may repeat names that a peer sent, megabytes for each issue. */
const KEPT_CHARS = 512;

function pathOf({ path = [] }: SchemaIssue): string {
  // each part of it has a character, or the dot in front
  const parts = path.slice(0, KEPT_CHARS).map((part) => beginOf(String(typeof part === 'object' ? part.key : part)));
  return beginOf(parts.join('.'));
}

function beginOf(text: string): string {
  return text.length > KEPT_CHARS ? keptPart(`${text.slice(0, KEPT_CHARS)}…`) : text;
}
