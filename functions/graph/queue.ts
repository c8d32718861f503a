/** Binary heap, best time on top. */
export class BestFirst<T extends { readonly at: number }> {
  readonly #heap: T[] = [];
  readonly #better: (a: number, b: number) => boolean;

  constructor(better: (a: number, b: number) => boolean) {
    this.#better = better;
  }

  push(one: T): void {
    const heap = this.#heap;
    let i = heap.push(one) - 1;
    for (let up = (i - 1) >> 1; i > 0; i = up, up = (i - 1) >> 1) {
      const parent = heap[up];
      if (parent === undefined || !this.#better(one.at, parent.at)) break;
      heap[i] = parent;
      heap[up] = one;
    }
  }

  pop(): T | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      let best = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        const one = heap[child];
        const now = heap[best];
        if (one !== undefined && now !== undefined && this.#better(one.at, now.at)) best = child;
      }
      const a = heap[i];
      const b = heap[best];
      if (best === i || a === undefined || b === undefined) break;
      heap[i] = b;
      heap[best] = a;
      i = best;
    }
    return top;
  }
}
