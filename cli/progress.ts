/** Names the stages of a long run on stderr while they last, and remembers how long each took. */

export interface StageTime {
  readonly name: string;
  readonly ms: number;
}

export class Progress {
  readonly times: StageTime[] = [];
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  /** Runs one stage. `note` replaces what stands behind the stage's name, on a terminal in place. */
  async stage<T>(name: string, work: (note: (text: string) => void) => Promise<T>): Promise<T> {
    const start = performance.now();
    const tty = this.#out.isTTY === true;
    const line = (mark: string, text: string): void => {
      this.#out.write(
        `${tty ? '\r\x1b[2K' : ''}${mark} ${name}${text === '' ? '' : `: ${text}`}${tty && mark === '…' ? '' : '\n'}`,
      );
    };
    line('…', '');
    let last = '';
    try {
      const result = await work((text) => {
        last = text;
        if (tty) line('…', text);
      });
      const ms = Math.round(performance.now() - start);
      this.times.push({ name, ms });
      line('✓', `${last === '' ? '' : `${last}, `}${(ms / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      line('✗', last);
      throw error;
    }
  }
}

/** How long something may take before it is said, in ms. */
const PATIENCE_MS = 1000;
const TICK_MS = 200;

/** Says on a terminal what is waited for, once it takes long; leaves no trace when it is over. */
export async function waiting<T>(text: string, work: () => Promise<T>, out: NodeJS.WriteStream = process.stderr): Promise<T> {
  if (out.isTTY !== true) return await work();
  const start = performance.now();
  let said = false;
  const tick = setInterval(() => {
    const ms = performance.now() - start;
    if (ms < PATIENCE_MS) return;
    said = true;
    out.write(`\r\x1b[2K… ${text}, ${Math.floor(ms / 1000)} s`);
  }, TICK_MS);
  try {
    return await work();
  } finally {
    clearInterval(tick);
    if (said) out.write('\r\x1b[2K');
  }
}
