/** What an evaluation prints. */
import type { Judged } from './investigate.ts';

/** What the answers have to be, in every scenario. */
export const GOALS = { recall: 1, precision: 0.95, steps: 25 } as const;

/** One story: one line of the table. */
export interface Row {
  readonly scenario: string;
  readonly what: string;
  readonly judged?: Judged;
  /** Nodes of everything that was recorded of the application. */
  readonly whole?: number;
  /** Why there is no story: the attack did not work, or nothing was found. */
  readonly error?: string;
}

export function meetsGoals({ judged }: Row): boolean {
  return (
    judged !== undefined &&
    judged.recall >= GOALS.recall &&
    judged.precision >= GOALS.precision &&
    judged.story.acts.length <= GOALS.steps
  );
}

export function asJson(rows: readonly Row[], seed: number): object {
  return {
    seed,
    goals: GOALS,
    met: rows.every(meetsGoals),
    scenarios: rows.map((row) => {
      const { scenario, what, judged, whole, error } = row;
      if (judged === undefined) return { scenario, what, met: false, error };
      const { fact, node, recall, precision, steps, found, missed, extra, nodes, trace, story } = judged;
      return {
        ...{ scenario, what, met: meetsGoals(row), fact, node, recall, precision, attackSteps: steps, attackStepsFound: found },
        ...{ missed, extra, storySteps: story.acts.length, storyNodes: nodes, traceNodes: trace, wholeNodes: whole },
        acts: story.acts.map(({ text }) => text),
      };
    }),
  };
}

export function table(rows: readonly Row[]): string {
  const head = ['scenario', 'starts from', 'recall', 'precision', 'steps', 'nodes', 'trace', 'whole graph', ''];
  const lines = rows.map((row) => {
    const { scenario, judged, whole = 0 } = row;
    if (judged === undefined) return [scenario, '', '', '', '', '', '', '', 'no answer'];
    const { recall, precision, nodes, trace, story, fact } = judged;
    const share = whole === 0 ? '' : `${whole} (${Math.round(whole / nodes)}×)`;
    const figures = [recall.toFixed(2), precision.toFixed(2), String(story.acts.length), String(nodes), String(trace), share];
    return [scenario, fact.what, ...figures, meetsGoals(row) ? 'ok' : 'MISSED'];
  });
  const widths = head.map((text, place) => Math.max(text.length, ...lines.map((line) => line[place]?.length ?? 0)));
  const left = new Set([0, 1, 8]);
  const print = (line: readonly string[]) =>
    line
      .map((text, place) => (left.has(place) ? text.padEnd(widths[place] ?? 0) : text.padStart(widths[place] ?? 0)))
      .join('  ')
      .trimEnd();
  return [print(head), ...lines.map(print), '', ...rows.flatMap(reasons)].join('\n');
}

/** Why a goal was missed. */
function reasons(row: Row): string[] {
  const { scenario, judged, error } = row;
  if (judged === undefined) return [`${scenario}: ${error ?? 'no answer'}`];
  if (meetsGoals(row)) return [];
  const { missed, extra, story } = judged;
  return [
    `${scenario}: from the ${judged.fact.what} ${judged.fact.q}`,
    ...missed.map((what) => `  not in the story: ${what}`),
    ...extra.map((what) => `  no part of the attack: ${what}`),
    ...(story.acts.length > GOALS.steps ? [`  ${story.acts.length} steps, more than ${GOALS.steps}`] : []),
  ];
}

export function stories(rows: readonly Row[]): string {
  return rows
    .flatMap(({ scenario, what, judged }) => {
      if (judged === undefined) return [];
      const acts = judged.story.acts.map(
        ({ at, text }, i) => `  ${i + 1}. ${new Date(at / 1000).toISOString().slice(11, 23)} ${text}`,
      );
      return [`${scenario}: ${what}`, `from the ${judged.fact.what} ${judged.fact.q}`, ...acts, ''];
    })
    .join('\n');
}
