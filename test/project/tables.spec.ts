import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { DEFAULT_OUT_BUFFER, DEFAULT_OUT_CAPACITY } from '../../lib/calls/handler-spec.js';
import { MAX_DEPTH, MAX_NAMES, MAX_OBJECTS } from '../../lib/calls/msgpack-format.js';
import { GRID_CODES, GridError } from '../../lib/errors/index.js';
import { INTERVALS, LIMITS } from '../../lib/manager/limits.js';
import { DEFAULTS, verifyOptions } from '../../lib/manager/verify-options.js';
import { codeOfStatus } from '../../lib/nest/rpc-error.js';
import { plain, tableOf } from './markdown.js';
import { readText, sourcesOf } from './sources.js';

const OPTIONS = 'docs/OPTIONS.md';
const ERRORS = 'docs/ERRORS.md';

function column(document: string, header: string, index = 0): string[] {
  return tableOf(document, header).map((row) => plain(row[index]!));
}

function defaultsOf(header: string): Record<string, number> {
  const rows = tableOf(OPTIONS, header).map(([name, value]) => [plain(name!), Number(value!.replaceAll(',', ''))]);
  return Object.fromEntries(rows) as Record<string, number>;
}

/** The members of an interface, as its source names them. */
function membersOf(path: string, name: string): string[] {
  const { text } = sourcesOf('lib').find((file) => file.path === path)!;
  const [, body] = new RegExp(`interface ${name}\\b[^{]*\\{\\n(.*?)^\\}`, 'ms').exec(text)!;
  return [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, member]) => member!);
}

/** What the only class of a file has for its users; what logs and debuggers make of it is not for them. */
function publicMembersOf(path: string): string[] {
  const { text } = sourcesOf('lib').find((file) => file.path === path)!;
  const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const members = statements.filter(ts.isClassDeclaration).flatMap((each) => [...each.members]);
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  const names = members
    .filter((member) => (ts.getCombinedModifierFlags(member) & hidden) === 0)
    .filter((member) => !ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal'))
    .map(({ name }) => (name && ts.isIdentifier(name) ? name.text : 'toJSON'))
    .filter((name) => name !== 'toJSON');
  return [...new Set(names)].toSorted();
}

describe('docs/OPTIONS.md is what the code does', () => {
  test('every option that the door knows, and no other', () => {
    let text = '';
    try {
      verifyOptions({ surely: 'unknown' } as never);
    } catch (error) {
      text = (error as GridError).message;
    }
    const known = /known are (.+)$/.exec(text)?.[1]?.split(', ');
    expect(column(OPTIONS, '| option | default | meaning |')).toEqual(known);
  });

  test('limits and intervals with their defaults', () => {
    expect(defaultsOf('| limit | default | past it |')).toEqual(LIMITS);
    expect(defaultsOf('| interval | default | meaning |')).toEqual(INTERVALS);
  });

  test('the other defaults', () => {
    const rows = new Map(
      tableOf(OPTIONS, '| option | default | meaning |').map(([name, value]) => [plain(name!), plain(value!)]),
    );
    expect(rows.get('name')).toBe(DEFAULTS.name);
    expect(rows.get('route')).toBe(DEFAULTS.route);
    expect(rows.get('crc')).toBe(DEFAULTS.crc);
    expect(Number(rows.get('drainTimeoutMs')!.replaceAll(',', ''))).toBe(DEFAULTS.drainTimeoutMs);
  });

  test('options of the module', () => {
    const members = membersOf('lib/nest/grid-module-options.ts', 'GridModuleAsyncOptions');
    expect(column(OPTIONS, '| module option | default | meaning |').toSorted()).toEqual(members.toSorted());
  });

  test('options of a handler', () => {
    const documented = tableOf(OPTIONS, '| handler option | default | meaning |');
    const rows = new Map(documented.map(([name, value]) => [plain(name!), value!.replaceAll(',', '')]));
    expect(Number(rows.get('outCapacity'))).toBe(DEFAULT_OUT_CAPACITY);
    expect(Number(rows.get('outBuffer'))).toBe(DEFAULT_OUT_BUFFER);
    const decorated = [
      ...membersOf('lib/nest/handler-facts.ts', 'HandlerOptions'),
      ...membersOf('lib/nest/handler-facts.ts', 'StreamHandlerOptions'),
      ...membersOf('lib/nest/handler-facts.ts', 'Binding'),
    ];
    const members = [...decorated, ...membersOf('lib/calls/handler-spec.ts', 'HandlerSpec')];
    for (const name of rows.keys()) expect(members).toContain(name);
    for (const name of decorated) expect([...rows.keys()]).toContain(name);
  });

  test('options of a call', () => {
    const members = ['CallOptions', 'StreamOptions'].flatMap((name) => membersOf('lib/calls/call-options.ts', name));
    expect(column(OPTIONS, '| call option | default | meaning |').toSorted()).toEqual(members.toSorted());
  });
});

describe('docs/CALLING.md is what the code does', () => {
  /** The names in the first cells of a table: `peer.request(to)`, `events`. */
  const named = (header: string): string[] =>
    tableOf('docs/CALLING.md', header).flatMap(([cell]) =>
      [...cell!.matchAll(/`(?:peer\.)?(\w+)[^`]*`/g)].map(([, name]) => name!),
    );

  test('every member of a peer', () => {
    expect(named('| call | gives |').toSorted()).toEqual(publicMembersOf('lib/manager/grid-peer.ts'));
  });

  test('every member of a grid', () => {
    const members = ['lib/manager/grid-manager.ts', 'lib/nest/grid.ts'].flatMap(publicMembersOf);
    expect(named('| member | meaning |').toSorted()).toEqual([...new Set(members)].toSorted());
  });
});

describe('docs/ERRORS.md is what the code does', () => {
  const rows = tableOf(ERRORS, '| code | who raises it, and when | what to do | may I retry |');

  test('every code, in the order of the code, with a cause, an advice and a word on retrying', () => {
    expect(rows.map(([code]) => code)).toEqual(GRID_CODES);
    for (const [, when, advice, retry] of rows) {
      expect(Math.min(when!.length, advice!.length)).toBeGreaterThan(15);
      expect(retry).toMatch(/^(no|with|only|after|when|as)\b/);
    }
  });

  test('every HTTP status that stands for a code', () => {
    const documented = rows.flatMap(([code, when]) => {
      const [, statuses = ''] = /HttpException ([\d, and]+)/.exec(when!) ?? [];
      return [...statuses.matchAll(/\d+/g)].map(([status]) => [Number(status), code] as const);
    });
    expect(documented).toEqual(documented.map(([status]) => [status, codeOfStatus(status)]));
    const named = new Set(documented.map(([status]) => status));
    for (let status = 400; status < 600; status++) {
      const rest = status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
      if (!named.has(status)) expect([status, codeOfStatus(status)]).toEqual([status, rest]);
    }
  });

  test('every reason', () => {
    const source = readText('lib/errors/code.ts');
    const [, union] = /type GridReason = ([^;]+);/.exec(source)!;
    const reasons = [...union!.matchAll(/'([\w-]+)'/g)].map(([, reason]) => reason);
    expect(column(ERRORS, '| reason | with | meaning |')).toEqual(reasons);
  });

  test('every field of GridError', () => {
    const facts = { peer: 'p', pattern: '1', reason: 'limit', details: {}, cause: 1 } as const;
    const fields = Object.getOwnPropertyNames(new GridError('UNKNOWN', 'x', facts)).filter((name) => name !== 'stack');
    expect(column(ERRORS, '| field | meaning |').toSorted()).toEqual(fields.toSorted());
  });
});

describe('docs/OBSERVABILITY.md is what the code does', () => {
  test('every event, with all that it has', () => {
    const { text } = sourcesOf('lib').find(({ path }) => path === 'lib/manager/grid-event.ts')!;
    const told = new Map<string, Set<string>>();
    for (const [, body] of text.matchAll(/\{([^}]*readonly type: [^}]*)\}/g)) {
      const type = /readonly type: '(\w+)'/.exec(body!)![1]!;
      const names = [...body!.matchAll(/readonly (\w+):/g)].map(([, name]) => name!);
      told.set(type, new Set([...(told.get(type) ?? []), ...names.filter((name) => name !== 'type')]));
    }
    const rows = tableOf('docs/OBSERVABILITY.md', '| event | has beside its `type` | when |');
    const shown = rows.map(([type, names]) => [plain(type!), plain(names!).split(', ').toSorted()]);
    expect(shown).toEqual([...told].map(([type, names]) => [type, [...names].toSorted()]));
  });

  test('every reason to drop a message', () => {
    const [, union] = /type DropKind =([^;]+);/.exec(readText('lib/observe/observer.ts'))!;
    const kinds = [...union!.matchAll(/'([\w-]+)'/g)].map(([, kind]) => kind);
    expect(column('docs/OBSERVABILITY.md', '| what | means | what to do |')).toEqual(kinds);
  });
});

describe('docs/CODECS.md is what the code does', () => {
  const text = readText('docs/CODECS.md').replaceAll(/\s+/g, ' ');

  test('how deep a value may be nested', () => {
    expect(text).toContain(`nested deeper than ${MAX_DEPTH} are refused`);
  });

  test('of how many objects and names it may be', () => {
    expect(text).toContain(`more than ${MAX_OBJECTS.toLocaleString('en-US')} maps, arrays`);
    expect(text).toContain(`more than ${MAX_NAMES.toLocaleString('en-US')} different names`);
  });
});

describe('docs/OPERATIONS.md is what the code does', () => {
  const lines = column('docs/OPERATIONS.md', '| line | level | when |');
  /** What stands between the values of a line. */
  const fixedParts = (line: string): string[] =>
    line.split(/PEER|WHY|ADDRESS|PATTERN|NAME|LOCAL|…|\bN\b/).map((part) => part.trim());
  const lib = sourcesOf('lib');

  test('every limit has a word on when to raise it', () => {
    expect(column('docs/OPERATIONS.md', '| limit | raise it when |')).toEqual(Object.keys(LIMITS));
  });

  test('every line of the log that it shows is written somewhere', () => {
    const text = lib.map((file) => file.text).join('\n');
    expect(lines.flatMap(fixedParts).filter((part) => !text.includes(part))).toEqual([]);
  });

  test('every reason why there is no connection that it gives as our own is written somewhere', () => {
    const text = lib.map((file) => file.text).join('\n');
    const reasons = column('docs/OPERATIONS.md', "| WHY, in the grid's words | what has happened | what to look at |");
    const parts = reasons.flatMap((reason) => reason.split(/\bN\b|CODE|ROUTE|1006|HTTP|[…,:;?()]/));
    expect(reasons.length).toBeGreaterThan(10);
    expect(parts.map((part) => part.trim()).filter((part) => !text.includes(part))).toEqual([]);
  });

  test('every line that lib writes is shown', () => {
    const written = lib.flatMap((file) => [
      ...file.text.matchAll(/(?:logger\??\.(?:log|warn|error|debug)|this\.say)\(\s*[`'](.+?)[`']\)/g),
    ]);
    const shown = lines.map((line) => fixedParts(line).filter((part) => part !== ''));
    const unknown = written
      .map(([, text]) => text!)
      .filter((text) => /[a-z]/.test(text.replaceAll(/\$\{.*?\}/g, '')))
      .filter((text) => !shown.some((parts) => parts.every((part) => text.includes(part))));
    expect(written.length).toBeGreaterThan(8);
    expect(unknown).toEqual([]);
  });
});
