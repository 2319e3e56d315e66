import { type Log, silentLog } from '@jvs/platform/log';

/**
 * The log that an app hands to its libraries: with `--debug` one JSON line a message on stderr, else nothing.
 * pino is only loaded when it is needed.
 */
export async function createLogger({ debug }: { debug: boolean }): Promise<Log> {
  if (!debug) return silentLog;
  // A bundle knows nothing but the default export of a CommonJS module.
  const { default: pino } = await import('pino');
  const logger = pino(
    {
      level: 'debug',
      base: null,
      redact: ['nonce', 'token', 'secret', 'password', '*.nonce', '*.secret', '*.password'],
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
  };
}
