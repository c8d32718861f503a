interface Told {
  readonly begun: readonly string[];
  readonly ended: readonly string[];
  readonly requests: readonly string[];
}

export interface Around {
  /** Begun in an earlier segment, and ended in none before this one. */
  readonly open: readonly string[];
  /** Have records here or later, and a begin nowhere. */
  readonly unbegun: readonly string[];
}

/** Which requests a hole before each segment would concern, and which were open at the end. Segments in order. */
export function aroundEach(segments: readonly Told[]): {
  readonly around: readonly Around[];
  readonly openAtEnd: readonly string[];
} {
  const begun = new Set(segments.flatMap((one) => one.begun));
  const open = new Set<string>();
  const opens = segments.map((one) => {
    const before = [...open];
    for (const request of one.begun) open.add(request);
    for (const request of one.ended) open.delete(request);
    return before;
  });
  const unbegun = new Set<string>();
  const unbeguns = segments.toReversed().map(({ requests }) => {
    for (const request of requests) if (!begun.has(request)) unbegun.add(request);
    return [...unbegun];
  });
  unbeguns.reverse();
  return { around: opens.map((list, i) => ({ open: list, unbegun: unbeguns[i] ?? [] })), openAtEnd: [...open] };
}
