import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { PATTERN_EXTRAS_METADATA } from '@nestjs/microservices/constants.js';

/** The method that a handler is. */
export interface HandlerOwner {
  /** `DiskController.info`. */
  readonly name: string;
  readonly method: string;
  /** The method that the instance has when its handlers are registered: what Nest calls, whatever it is given later. */
  readonly callback: Method;
  readonly controller: InstanceWrapper<Record<string, Method>>;
  /** Nest's key of the module that has the controller. */
  readonly module: string;
  /** No other controller has the same method, so that there is no doubt whose handler it is. */
  readonly alone: boolean;
}

type Method = (...args: unknown[]) => unknown;

/**
 * Tells which method a handler is: Nest gives a strategy the pattern and a function of its own, never the method. But
 * the extras it gives are the object that the decorator left on the method, and handlers come in the order of the scan.
 */
export class HandlerOwners {
  private owners: Map<object, HandlerOwner[]> | undefined = undefined;
  private readonly seen = new Map<object, unknown[]>();

  constructor(private readonly modules: ModulesContainer) {}

  /** To be asked once per handler. Undefined for what was not declared by a decorator. */
  of(extras: object, pattern: unknown): HandlerOwner | undefined {
    this.owners ??= this.scan();
    const owners = this.owners.get(extras);
    if (!owners) return undefined;
    // an inherited method is one for all subclasses, each of which comes by with all of its patterns
    const seen = this.seen.get(extras) ?? [];
    this.seen.set(extras, [...seen, pattern]);
    return owners[seen.filter((one) => one === pattern).length] ?? owners[0];
  }

  private scan(): Map<object, HandlerOwner[]> {
    const owners = new Map<object, HandlerOwner[]>();
    for (const { controller, module, method, declared } of methodsOf(this.modules)) {
      const extras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, declared) as object | undefined;
      if (!extras) continue;
      const callback = controller.instance[method]!;
      const owner = { name: `${controller.name}.${method}`, method, callback, controller, module };
      const others = owners.get(extras) ?? [];
      const alone = others.length === 0;
      owners.set(extras, [...others.map((other) => ({ ...other, alone })), { ...owner, alone }]);
    }
    return owners;
  }
}

/** Whether a decorator has left that metadata at the method or its class. */
export function isMarked(owner: HandlerOwner, key: string): boolean {
  return marksOf(owner, key).length > 0;
}

/** What decorators have left under that key at the method and its class. */
export function marksOf({ controller, callback }: HandlerOwner, key: string): unknown[] {
  const { instance, metatype } = controller;
  // two classes where a decorator wrapped the one that was written: releases of Nest differ in which of them they ask
  const targets = new Set([instance.constructor, metatype ?? instance.constructor, callback]);
  return [...targets].map((target) => Reflect.getMetadata(key, target) as unknown).filter(Boolean);
}

interface ControllerMethod extends Pick<HandlerOwner, 'controller' | 'module' | 'method'> {
  /** Has the metadata of its decorators. */
  readonly declared: Method;
}

/** Every method of every controller, in the order in which Nest comes by. */
export function* methodsOf(modules: ModulesContainer): Generator<ControllerMethod> {
  const scanner = new MetadataScanner();
  for (const [module, { controllers }] of modules) {
    for (const wrapper of controllers.values()) {
      const controller = wrapper as HandlerOwner['controller'];
      const prototype = Object.getPrototypeOf(controller.instance) as Record<string, Method>;
      for (const method of scanner.getAllMethodNames(prototype)) {
        yield { controller, module, method, declared: prototype[method]! };
      }
    }
  }
}
