import { MetadataScanner } from '@nestjs/core';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { joinSubroute } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { prefixedExtras } from './handler-facts.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * A prefix for the subroute of each handler of the class, inherited ones included: `@GridSubroute('disk1')` makes
 * `@MessagePattern(60)` answer `{ id: 60, subroute: 'disk1' }`. Of several in one line of classes the nearest counts.
 */
export function GridSubroute(subroute: string | readonly string[]): ClassDecorator {
  return (target) => {
    const prefix = prefixOf(subroute, target.name);
    const prototype = target.prototype as Record<string, unknown>;
    for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
      const method = prototype[name] as Method;
      if (!Reflect.hasMetadata(PATTERN_METADATA, method)) continue;
      const own = Object.hasOwn(prototype, name) ? method : inherit(prototype, name, method);
      const extras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, own) as Record<string, unknown> | undefined;
      Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, prefixedExtras(extras, prefix), own);
    }
  };
}

function prefixOf(subroute: string | readonly string[], owner: string): string {
  try {
    return joinSubroute(subroute);
  } catch (error) {
    throw GridError.is(error) ? error.with({ message: `@GridSubroute of ${owner}: ${error.message}` }) : error;
  }
}

/** An inherited method is one function for all subclasses, its metadata too; here the class gets its own. */
function inherit(prototype: object, name: string, inherited: Method): Method {
  const own: Method = function (...args) {
    return inherited.apply(this, args);
  };
  for (const key of Reflect.getMetadataKeys(inherited) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), own);
  }
  Object.defineProperty(own, 'name', { value: name, configurable: true });
  Object.defineProperty(prototype, name, { value: own, writable: true, configurable: true });
  return own;
}
