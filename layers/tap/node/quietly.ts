/** Runs what must never show in the application. */
export function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Less is recorded; there is nobody to tell it to.
  }
}
