const first = Number(process.env.PORT ?? 9001);

/** Each app has an HTTP port. TCP needs one more; the grid shares those of the apps. */
export const ports = { math: first, pupil: first + 1, tcp: first + 2 };
