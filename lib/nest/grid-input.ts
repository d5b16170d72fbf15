import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { GridContext } from './grid-context.js';

/**
 * The caller's messages: `@GridInput() chunks: AsyncIterable<Chunk>`. A credit goes back as each one is taken; input
 * that was cut throws, it never looks like its end. A `ValidationPipe` leaves it alone; any other pipe of the method
 * gets it too, with `metadata.type` `custom`.
 */
export const GridInput: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToRpc().getContext<GridContext>().input,
);
