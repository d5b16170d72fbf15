import { defineStream, type StreamContract } from 'nestjs-grid';

type Bytes = Buffer | undefined;

/** `COUNT,SIZE` as text. */
export const EmitSized = defineStream<Bytes, never, Buffer>({ id: 63, name: 'emit.sized', outCapacity: 1 });
export const CountInput = defineStream<Bytes, Buffer, Buffer>({
  id: 64,
  name: 'count.input',
  inCapacity: 4,
  outCapacity: 1,
});
export const Echo = defineStream<Bytes, Buffer, Buffer>({ id: 65, name: 'echo', inCapacity: 1, outCapacity: 1 });
/** The error text. */
export const FailAfterTwo = defineStream<Bytes, never, Buffer>({ id: 66, name: 'fail.after.two', outCapacity: 4 });
export const HoldOutput = defineStream<Bytes, never, Buffer>({ id: 67, name: 'hold.output', outCapacity: 1 });
export const IgnoreInput = defineStream<Bytes, Buffer, Buffer>({
  id: 69,
  name: 'ignore.input',
  inCapacity: 1,
  outCapacity: 1,
});
/** `COUNT` as text. */
export const EmitNumbers = defineStream<Bytes, never, Buffer>({ id: 71, name: 'emit.numbers', outCapacity: 16 });

const all: readonly Pick<StreamContract, 'id' | 'inCapacity' | 'outCapacity'>[] = [
  EmitSized,
  CountInput,
  Echo,
  FailAfterTwo,
  HoldOutput,
  IgnoreInput,
  EmitNumbers,
];

/** What is known of a stream handler's capacities, for calls to hosts that do not announce them. */
export function capacitiesOf(handler: number): { inCapacity?: number; outCapacity?: number } {
  const contract = all.find(({ id }) => id === handler);
  return contract ? { inCapacity: contract.inCapacity, outCapacity: contract.outCapacity } : {};
}
