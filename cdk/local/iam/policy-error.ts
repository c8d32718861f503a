/** A policy that the evaluator would have to guess at. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}
