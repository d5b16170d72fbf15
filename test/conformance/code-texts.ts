/** The texts of a refusal (MuxConnectError) and their codes, wire spec §12. */
export const refusals = [
  ['Invalid Handler', 'UNIMPLEMENTED'],
  ['Invalid Handler for type: 80', 'UNIMPLEMENTED'],
  ['draining', 'UNAVAILABLE'],
  ['streams: call stream()', 'FAILED_PRECONDITION'],
  ['anything else', 'FAILED_PRECONDITION'],
] as const;

/** The texts of an error Response or an error end and their codes. */
export const endings = [
  ['handler blocked', 'FAILED_PRECONDITION'],
  ['did not expect inbound message', 'FAILED_PRECONDITION'],
  ['receive sequence number mismatch. want 1, got 3', 'DATA_LOSS'],
  ['out-of-sequence item received', 'DATA_LOSS'],
  ['response blocked', 'RESOURCE_EXHAUSTED'],
  ['remote terminated call', 'UNAVAILABLE'],
  ['remote disconnected', 'UNAVAILABLE'],
  ['context deadline exceeded', 'DEADLINE_EXCEEDED'],
  ['context canceled', 'CANCELLED'],
  ['file not found: ü', 'UNKNOWN'],
  ['', 'UNKNOWN'],
] as const;
