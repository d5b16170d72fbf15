import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { TimeLimitError, withTimeLimit } from './time-limit.js';

/** What a node tells the launcher over its IPC channel. */
export type NodeMessage =
  { readonly type: 'ready' } | { readonly type: 'failed'; readonly code: string | undefined; readonly text: string };
/** What the launcher tells a node. */
export type LauncherMessage = { readonly type: 'stop' };

const CLOSE_WITHIN_MS = 5_000;

/**
 * Ties the life of the process to whoever started it. Started by hand, it ends on SIGINT and SIGTERM. Started by the
 * launcher, it ends when told to or when the launcher is gone, however that came about; it then also removes the
 * data folder, if that was made for this run only, because nobody else is left to do it.
 */
export async function superviseNode(start: () => Promise<INestApplication>): Promise<void> {
  const supervised = process.send !== undefined;
  let app: INestApplication | undefined;
  let ending = false;
  const end = async (code: number): Promise<void> => {
    if (ending) return;
    ending = true;
    try {
      if (app) await withTimeLimit(CLOSE_WITHIN_MS, 'the node to close', app.close());
    } catch (error) {
      if (!(error instanceof TimeLimitError)) console.error(error);
    }
    process.exit(code);
  };

  if (supervised) {
    // Ctrl-C goes to the whole process group: the launcher hears it too and says what is to be done
    process.on('SIGINT', () => undefined);
    process.on('message', (message: LauncherMessage) => message.type === 'stop' && void end(0));
    const abandoned = (): void => {
      removeTemporaryData();
      process.exit(1);
    };
    process.on('disconnect', abandoned);
    // it may be gone already: then nothing will be told any more
    if (!process.connected) abandoned();
  } else {
    process.on('SIGINT', () => void end(0));
  }
  process.on('SIGTERM', () => void end(0));

  try {
    app = await start();
    process.send?.({ type: 'ready' } satisfies NodeMessage);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    console.error(message);
    const failure: NodeMessage = { type: 'failed', code, text: message };
    if (process.send) process.send(failure, () => process.exit(1));
    else process.exit(1);
  }
}

function removeTemporaryData(): void {
  const { STORAGE_DATA: folder, STORAGE_TEMPORARY: temporary } = process.env;
  if (temporary !== '1' || folder === undefined) return;
  try {
    // the folder of the run with those of all nodes: a node that was killed cannot remove its own
    rmSync(dirname(folder), { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // another node still wrote into it: that one removes it when it ends
  }
}
