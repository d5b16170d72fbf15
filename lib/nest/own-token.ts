let made = 0;

/**
 * A token that no other provider has. Each dynamic module has one: by Nest's option
 * `moduleIdGeneratorAlgorithm: 'deep-hash'` two of them with one text are one module, and the text of a factory is its
 * source, whatever it closes over. The second module would be the first one then, with the first one's options.
 */
export function ownToken(name: string): symbol {
  made += 1;
  return Symbol(`nestjs-grid:${name}:${made}`);
}
