import * as fc from 'fast-check';
import { Flag, Op, type Message, type MuxId } from '../../lib/wire/index.js';

const CALL_OPS = Object.values(Op).filter((op) => op >= Op.ConnectMux && op <= Op.Response);
const WITH_METADATA: readonly Op[] = [Op.Request, Op.ConnectMux, Op.Response, Op.MuxConnectError, Op.MuxServerMsg];

const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }), fc.constant(0xffff_ffff));
const muxId: fc.Arbitrary<MuxId> = fc
  .oneof(fc.bigInt({ min: 1n, max: 300n }), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), fc.constant(2n ** 53n))
  .map((id) => (id <= Number.MAX_SAFE_INTEGER ? Number(id) : id));
const text = fc.string({ unit: 'binary', maxLength: 40 });

/** Any message that the spec allows towards a peer with all extensions. */
export const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    op: fc.constantFrom(...CALL_OPS, Op.Connect, Op.ConnectResponse, Op.Ping, Op.Pong, Op.Disconnect),
    muxId,
    seq: uint32,
    deadlineMs: uint32,
    handler: fc.nat(255),
    flags: fc.nat(255),
    payload: fc.oneof(fc.constant(undefined), fc.uint8Array({ maxLength: 600 })),
    subroute: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    metadata: fc.dictionary(text, text, { maxKeys: 5 }),
  })
  .map(({ op, muxId, seq, deadlineMs, handler, flags, payload, subroute, metadata }) => {
    const isCall = CALL_OPS.includes(op) || ((op === Op.Ping || op === Op.Pong) && seq % 2 === 0);
    let legal = flags & ~Flag.PayloadIsZero;
    if (payload?.length === 0) legal |= Flag.PayloadIsZero;
    if (op === Op.MuxServerMsg && legal & Flag.Metadata) legal |= Flag.Eof;
    if (!WITH_METADATA.includes(op)) legal &= ~Flag.Metadata;
    if (op !== Op.Request) legal &= ~Flag.Many;
    return {
      muxId: isCall ? muxId : 0,
      seq,
      deadlineMs,
      handler,
      op,
      flags: legal,
      payload,
      subroute: legal & Flag.Subroute ? subroute : undefined,
      metadata: legal & Flag.Metadata ? metadata : undefined,
    };
  });
