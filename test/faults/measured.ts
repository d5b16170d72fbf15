/** Tells figures that no test judges to who asks for them: `GRID_TEST_REPORT=1`. */
export function measured(what: string, figures: object): void {
  if (process.env['GRID_TEST_REPORT']) process.stderr.write(`${what}: ${JSON.stringify(figures)}\n`);
}
