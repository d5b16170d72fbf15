import { readText } from './sources.js';

/** The rows of the table with that header line; cells trimmed. */
export function tableOf(document: string, header: string): string[][] {
  const lines = readText(document).split('\n');
  const start = lines.indexOf(header);
  if (start === -1) throw new Error(`${document} has no table with the header ${header}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end === -1 ? undefined : end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

export interface CodeBlock {
  readonly document: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** All words behind the fence: `ts`, `ts run`. */
  readonly info: string;
  readonly code: string;
}

export function codeBlocksOf(document: string): CodeBlock[] {
  const text = readText(document);
  return [...text.matchAll(/^```(\w[^\n]*)\n(.*?)^```$/gms)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length,
    info: match[1]!.trim(),
    code: match[2]!,
  }));
}

/** `code` of a cell, without its backticks. */
export function plain(cell: string): string {
  return cell.replaceAll('`', '');
}
