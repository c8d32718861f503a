/** Console lines as Lambda writes them: time, request id, level, message, all on one line. */
import { format } from 'node:util';
import { describeError } from './errors.mjs';

const LEVELS = { log: 'INFO', info: 'INFO', debug: 'DEBUG', warn: 'WARN', error: 'ERROR', trace: 'TRACE' };

export function patchConsole() {
  const logger = {
    /** Of the request being served. */
    requestId: undefined,
    error(title, error) {
      write('ERROR', `${title} \t${JSON.stringify(describeError(error))}`);
    },
  };
  function write(level, message) {
    const line = `${new Date().toISOString()}\t${logger.requestId ?? 'undefined'}\t${level}\t${message.replaceAll('\n', '\r')}\n`;
    process.stdout.write(line);
  }
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...args) => write(level, format(...args));
  }
  return logger;
}
