import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from './settings.ts';

/** File in the shared directory in which the wrapper leaves where the runtime was to go before it was led here. */
const FILE = 'upstream';

/**
 * Where the Runtime API proxy passes calls on to: the platform, or the proxy of another extension that stands between. Which of
 * the two only the wrapper learns, when the runtime starts; so it is looked up at the first call, and then kept: a file in /tmp
 * must not redirect the function later. ALASTOR_UPSTREAM_RUNTIME_API decides over it.
 */
export class Upstream {
  readonly #settings: Pick<Settings, 'dir' | 'upstream'>;
  #address: string | undefined;

  constructor(settings: Pick<Settings, 'dir' | 'upstream'>, env: NodeJS.ProcessEnv) {
    this.#settings = settings;
    this.#address = env.ALASTOR_UPSTREAM_RUNTIME_API ? settings.upstream : undefined;
  }

  get address(): string {
    this.#address ??= this.#found() ?? this.#settings.upstream;
    return this.#address;
  }

  /** Other extensions proxy on this machine; nothing else is believed. */
  #found(): string | undefined {
    try {
      const text = readFileSync(join(this.#settings.dir, FILE), 'latin1').trim();
      return /^(?:127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/.test(text) ? text : undefined;
    } catch {
      return undefined;
    }
  }
}
