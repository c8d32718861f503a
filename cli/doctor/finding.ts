/** What the doctor says of one thing: `unknown` is what could not be looked at, and is never taken for well. */
export type State = 'ok' | 'warning' | 'wrong' | 'unknown';

export interface Finding {
  readonly state: State;
  /** What was looked at: `queue`, `function checkout`, … */
  readonly what: string;
  readonly says: string;
  /** How to mend it; of all but `ok`. */
  readonly mend?: string;
}

export const ok = (what: string, says: string): Finding => ({ state: 'ok', what, says });
export const warning = (what: string, says: string, mend: string): Finding => ({ state: 'warning', what, says, mend });
export const wrong = (what: string, says: string, mend: string): Finding => ({ state: 'wrong', what, says, mend });
export const unknown = (what: string, says: string, mend: string): Finding => ({ state: 'unknown', what, says, mend });

/** Refused for want of a permission; AWS names it differently from service to service. */
const DENIED = /AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized|Forbidden/;
/** What the engine on this machine answers to what it does not have. */
const NOT_OFFERED = /UnknownOperation|NotImplemented/;

/**
 * Findings of one look; when the look itself fails that is the finding, and the others go on.
 * @param needs permissions that it takes
 */
export async function look(
  what: string,
  needs: string,
  act: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await act()].flat();
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
    const says = `not checked: ${name}${message === '' || message === name ? '' : `: ${message}`}`;
    if (DENIED.test(name)) return [unknown(what, says, `the credentials need ${needs}`)];
    if (NOT_OFFERED.test(name))
      return [unknown(what, 'not checked: the engine on this machine does not have it', 'look on AWS')];
    return [unknown(what, says, `needs ${needs}, and that the service can be reached`)];
  }
}
