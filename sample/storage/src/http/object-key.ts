import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** The key of an object: what the wildcard of the route took, its parts decoded. */
export const ObjectKey = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const { params } = context.switchToHttp().getRequest<{ params: { key: string | string[] } }>();
  return Array.isArray(params.key) ? params.key.join('/') : params.key;
});
