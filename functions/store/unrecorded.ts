/** Instances that the platform started and in which the recorder did not come up. */
import type { Gap } from './gap.ts';
import { type PlatformInstance, recorderOf } from './platform-instances.ts';
import type { Silenced } from './silenced.ts';

/** State of an extension that has come up, in the platform's words. */
const UP = 'Ready';

/**
 * Of these instances of a function. One of which any request was recorded is none; nor one that was restored from a snapshot,
 * whose extensions came up long before.
 */
export async function unrecorded(
  instances: readonly PlatformInstance[],
  fn: string,
  silenced: Silenced,
): Promise<readonly Gap[]> {
  const gaps: Gap[] = [];
  for (const instance of instances) {
    const { stream, start, facts } = instance;
    if (start === undefined || facts.phase !== 'init') continue;
    const recorder = recorderOf(instance);
    if (recorder?.state === UP) continue;
    if ((await silenced.recordedIn(stream, fn, start)) !== undefined) continue;
    const why =
      recorder === undefined
        ? 'the recorder did not register'
        : `the recorder failed: ${[recorder.state, recorder.error].filter((word) => word !== undefined).join(' ')}`;
    gaps.push({ kind: 'unrecorded', at: start, function: fn, why, detail: stream });
  }
  return gaps;
}
