import { describe, expect, it } from '@jest/globals';
import { Outbound, withInto, type PayloadEncoder } from '../../lib/mux/index.js';
import { MemoryOutbox } from './memory-outbox.js';
import { bytes } from './solo-mux.js';

const LENT = bytes('lent');
const OWN = bytes('own');

/** A direction with one credit, whose outbox lends memory; `during` runs while a value is encoded there. */
function outboundWith(during: (outbound: Outbound) => void): Outbound {
  const outbox = new MemoryOutbox(() => {});
  outbox.encode = () => (during(outbound), LENT);
  const nothing = (): void => {};
  const deaf = { emit: nothing, emitEnd: nothing, onRefused: nothing, onExcess: nothing };
  const outbound = new Outbound({ ...deaf, outbox, endCostsCredit: false, refuse: () => undefined });
  outbound.open(1);
  return outbound;
}

describe('a value on its way into one direction of a stream', () => {
  const codec: PayloadEncoder = { encode: () => OWN };

  it('is encoded where it will be sent if it can be sent now', () => {
    expect(outboundWith(() => {}).encode('value', codec, 0)).toBe(LENT);
  });

  it('is encoded elsewhere if it has to wait, behind others or for a credit', () => {
    const outbound = outboundWith(() => {});
    expect(outbound.encode('value', codec, 1)).toEqual(OWN);
    outbound.send(OWN);
    expect(outbound.encode('value', codec, 0)).toEqual(OWN);
  });

  it('that has to wait has memory of its own: only what a codec has written for it is not copied', () => {
    const outbound = outboundWith(() => {});
    const same = Buffer.from('one');
    const reusing: PayloadEncoder = { encode: () => same };
    const writing: PayloadEncoder = { encode: withInto(() => OWN, () => OWN) };
    const kept = outbound.encode('value', reusing, 1);
    same.write('two');
    expect(Buffer.from(kept).toString()).toBe('one');
    expect(outbound.encode('value', writing, 1)).toBe(OWN);
  });

  it('is copied if its own code has used the credit or ended the call', () => {
    const doings = [(outbound: Outbound) => outbound.send(OWN), (outbound: Outbound) => outbound.close('ended')];
    for (const during of doings) {
      const payload = outboundWith(during).encode('value', codec, 0);
      expect(payload).toEqual(LENT);
      expect([payload === LENT, payload.byteOffset === LENT.byteOffset]).toEqual([false, false]);
    }
  });
});
