import { parseArgs } from 'node:util';

export interface Flags {
  /** Calls of the mix. */
  readonly calls: number;
  /** Connections that are reset, one after the other, while calls run. */
  readonly reconnects: number;
  /** Requests with a deadline of an hour. */
  readonly hourCalls: number;
}

export const USAGE = 'npm run soak -- [--calls 1000000] [--reconnects 10000] [--hour-calls 1000000]';

export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      calls: { type: 'string', default: '1000000' },
      reconnects: { type: 'string', default: '10000' },
      'hour-calls': { type: 'string', default: '1000000' },
    },
  });
  return {
    calls: whole('calls', values.calls),
    reconnects: whole('reconnects', values.reconnects),
    hourCalls: whole('hour-calls', values['hour-calls']),
  };
}

function whole(flag: string, word: string): number {
  const number = Number(word);
  if (word.trim() !== '' && Number.isInteger(number) && number >= 0) return number;
  throw new Error(`--${flag} ${word}: must be a whole number`);
}
