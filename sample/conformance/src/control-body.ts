import { z } from 'zod';

const base64 = z.base64().transform((text): Buffer => Buffer.from(text, 'base64'));

const target = {
  host: z.string(),
  handler: z.number(),
  subroute: z.string().optional(),
  deadlineMs: z.number().optional(),
};

/** Body of `POST /call`. */
export const callBody = z.object({
  ...target,
  payload: base64,
  cancelAfterMs: z.number().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
});
export type CallBody = z.output<typeof callBody>;

/** Body of `POST /stream`. */
export const streamBody = z.object({
  ...target,
  payload: base64.optional(),
  inputs: z.array(base64).optional(),
  cancelAfter: z.number().int().nonnegative().optional(),
  many: z.literal(true).optional(),
});
export type StreamBody = z.output<typeof streamBody>;
