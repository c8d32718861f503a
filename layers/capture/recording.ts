import { Capture, type CaptureOptions } from './capture.ts';
import type { ExtensionEvent } from './extension-api.ts';
import { finishInstance, finishRequest } from './request-end.ts';

/** What the extension does from its registration to its end. */
export class Recording {
  readonly #capture: Capture;
  #ending: Promise<void> | undefined;

  private constructor(capture: Capture) {
    this.#capture = capture;
  }

  static async start(options: CaptureOptions): Promise<Recording> {
    const recording = new Recording(await Capture.start(options));
    process.on('SIGTERM', () => void recording.end('SIGTERM', Date.now() + 1500).then(() => process.exit(0)));
    return recording;
  }

  /** An invocation has been announced: settled when the environment may freeze. */
  requestOver(event: Extract<ExtensionEvent, { eventType: 'INVOKE' }>): Promise<void> {
    return finishRequest(this.#capture, event);
  }

  end(reason: string, deadlineMs: number): Promise<void> {
    this.#ending ??= finishInstance(this.#capture, reason, deadlineMs);
    return this.#ending;
  }

  failed(what: string, error: unknown): void {
    this.#capture.failed(what, error);
  }
}
