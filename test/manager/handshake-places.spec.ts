import { beforeEach, expect, it } from '@jest/globals';
import { HandshakePlaces } from '../../lib/manager/handshake-places.js';

let full: number;
let evicted: string[];
let places: HandshakePlaces;
beforeEach(() => {
  full = 0;
  evicted = [];
  places = new HandshakePlaces(4, () => full++);
});

const take = (claimant: string, name = claimant, part?: string): (() => void) | undefined =>
  places.take(claimant, () => evicted.push(name), part);

it('while places are free, whoever asks gets one', () => {
  for (const claimant of ['a', 'a', 'a', 'b']) expect(take(claimant)).toBeDefined();
  expect(evicted).toEqual([]);
});

it('then the claimant with most of them loses its oldest, but never to one that would have as many', () => {
  for (const name of ['first', 'second', 'third', 'fourth']) take('greedy', name);
  expect(take('greedy')).toBeUndefined();
  expect(take('b')).toBeDefined();
  expect(take('b')).toBeDefined();
  expect(take('b')).toBeUndefined();
  expect(take('c')).toBeDefined();
  expect(evicted).toEqual(['first', 'second', 'third']);
});

it('a place is given back once, also by who lost it', () => {
  const release = take('greedy')!;
  for (let n = 0; n < 3; n++) take('greedy');
  take('b');
  expect(evicted).toEqual(['greedy']);
  release();
  release();
  expect(take('greedy')).toBeUndefined();
});

it('parts of a claimant do not add up to more of it: another one gets half of the places', () => {
  for (const part of ['1', '2', '3', '4']) take('greedy', `greedy ${part}`, part);
  expect(take('greedy', 'greedy 5', '5')).toBeUndefined();
  expect(take('b', 'b 1', '1')).toBeDefined();
  expect(take('b', 'b 1', '1')).toBeDefined();
  expect(take('b', 'b 1', '1')).toBeUndefined();
  expect(evicted).toEqual(['greedy 1', 'greedy 2']);
});

it('parts of a claimant share its places like claimants', () => {
  for (const name of ['first', 'second', 'third', 'fourth']) take('a', name, 'greedy');
  expect(take('a', 'modest', 'modest')).toBeDefined();
  expect(take('a', 'fifth', 'greedy')).toBeUndefined();
  // the part that has most of them gives way to another claimant, too
  expect(take('b')).toBeDefined();
  expect(evicted).toEqual(['first', 'second']);
});

it('tells that it is full once, and again after half of it was free', () => {
  const releases = ['a', 'b', 'c', 'd'].map((claimant) => take(claimant)!);
  take('e');
  take('e');
  expect(full).toBe(1);
  releases[0]!();
  take('a');
  take('e');
  expect(full).toBe(1);
  for (const release of releases.slice(1)) release();
  for (const claimant of ['f', 'g', 'h', 'i']) take(claimant);
  expect(full).toBe(2);
});
