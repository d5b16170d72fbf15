import type { ApplicationConfig } from '@nestjs/core';

/** The kinds of global enhancers that the config holds, with their names: `guards (AuthGuard)`. */
export function globalEnhancersOf(config: ApplicationConfig): string[] {
  const kinds = {
    guards: [...config.getGlobalGuards(), ...config.getGlobalRequestGuards()],
    pipes: [...config.getGlobalPipes(), ...config.getGlobalRequestPipes()],
    interceptors: [...config.getGlobalInterceptors(), ...config.getGlobalRequestInterceptors()],
    filters: [...config.getGlobalFilters(), ...config.getGlobalRequestFilters()],
  };
  return Object.entries(kinds)
    .filter(([, enhancers]) => enhancers.length > 0)
    .map(([kind, enhancers]) => `${kind} (${enhancers.map(nameOf).join(', ')})`);
}

/** Adds all enhancers of one config to another. */
export function copyEnhancers(from: ApplicationConfig, to: ApplicationConfig): void {
  to.useGlobalGuards(...from.getGlobalGuards());
  to.useGlobalPipes(...from.getGlobalPipes());
  to.useGlobalInterceptors(...from.getGlobalInterceptors());
  to.useGlobalFilters(...from.getGlobalFilters());
  to.registerPreRequestHook(...from.getGlobalPreRequestHooks());
  // those of request scope are wrappers, from which Nest takes an instance per call
  for (const guard of from.getGlobalRequestGuards()) to.addGlobalRequestGuard(guard);
  for (const pipe of from.getGlobalRequestPipes()) to.addGlobalRequestPipe(pipe);
  for (const interceptor of from.getGlobalRequestInterceptors()) to.addGlobalRequestInterceptor(interceptor);
  for (const filter of from.getGlobalRequestFilters()) to.addGlobalRequestFilter(filter);
}

/** Of a class, of an instance, or of what Nest keeps for one of request scope. */
export function nameOf(enhancer: object): string {
  const made = 'metatype' in enhancer ? enhancer.metatype : enhancer;
  return typeof made === 'function' ? made.name : enhancer.constructor.name;
}
