import { Inject, type InjectionToken } from '@nestjs/common';
import { DEFAULTS } from '../manager/index.js';
import { Grid } from './grid.js';

/** Name of the grid where none is given. */
export const DEFAULT_GRID = DEFAULTS.name;

/** The token under which a grid is provided: the class `Grid` itself for the one without a name. */
export function getGridToken(name: string = DEFAULT_GRID): InjectionToken<Grid> {
  return name === DEFAULT_GRID ? Grid : `nestjs-grid:${name}`;
}

/** Injects the grid of that name, or the one without a name. */
export function InjectGrid(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getGridToken(name));
}

/** Injects the client that `GridModule.forFeature([{ name, peer }])` made under this name. */
export function InjectGridClient(name: string | symbol): PropertyDecorator & ParameterDecorator {
  return Inject(name);
}
