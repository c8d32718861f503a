import type { ExportStory } from './graph.ts';
import { markup } from './text.ts';

type Step = ExportStory['steps'][number];

/** Rows that fit a page; a longer path is told by the list alone. */
const MOST_ROWS = 60;
const ROW = 34;
const LANE = 210;
const BOX = 190;
/** Room for the lanes' titles. */
const TOP = 40;
/** Colours by kind, dark enough for white text and apart from each other in grey. */
const COLOURS: Readonly<Record<string, string>> = {
  ...{ client: '#7a1f5c', request: '#1d4f91', process: '#333333', file: '#7a5a00', exchange: '#1f6b45', endpoint: '#a11d1d' },
};

/** How what stands out looks. */
const ODD = ' stroke="#e00000" stroke-width="3"';

/**
 * What carried the attack as SVG: time goes down, each instance has a lane, what lies outside has the first one. An arrow leads
 * from a step to the one that it explains; dashed: inferred.
 */
export function pathPicture({ steps }: ExportStory): string {
  const shown = [...steps.entries()].filter(([, { role }]) => role !== 'touched');
  if (shown.length > MOST_ROWS)
    return `<p>${shown.length} steps carried it: too many for a picture; they are listed below.</p>`;
  const lanes = [undefined, ...new Set(shown.flatMap(([, step]) => (inside(step) ? [step.instanceId] : [])))];
  const titles = lanes.map((id) => [
    id === undefined ? 'outside' : (steps.find((one) => one.instanceId === id)?.function ?? ''),
    // The end of an instance's id is what tells it from others of the same minute.
    id === undefined ? '' : `…${id.slice(-12)}`,
  ]);
  const places = new Map(
    shown.map(([index, step], row) => {
      const lane = inside(step) ? lanes.indexOf(step.instanceId) : 0;
      return [index, { x: lane * LANE + 10, y: row * ROW + TOP }] as const;
    }),
  );
  const [width, height] = [lanes.length * LANE + 20, shown.length * ROW + TOP + 16];
  const heads = titles.map(
    ([title = '', instance = ''], i) =>
      `<svg x="${i * LANE + 10}" y="0" width="${BOX}" height="${TOP - 6}"><text y="14" font-weight="bold" fill="currentColor">${markup(title, 40)}</text>
<text y="28" fill="currentColor">${markup(instance)}</text></svg>`,
  );
  const arrows = shown.flatMap(([index, step]) => {
    const [from, to] = [places.get(index), step.parent === undefined ? undefined : places.get(step.parent)];
    if (from === undefined || to === undefined) return [];
    const dashed = step.sure === 'inferred' ? ' stroke-dasharray="5 3"' : '';
    const [x1, y1, x2, y2] = [
      from.x + BOX / 2,
      from.y + (to.y > from.y ? 24 : 0),
      to.x + BOX / 2,
      to.y + (to.y > from.y ? 0 : 24),
    ];
    return [`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#888" marker-end="url(#to)"${dashed}/>`];
  });
  const boxes = shown.map(([index, step]) => {
    const { x, y } = places.get(index) ?? { x: 0, y: 0 };
    const fill = COLOURS[step.kind] ?? '#555555';
    return `<g><title>${markup(step.label, 300)}</title><rect x="${x}" y="${y}" width="${BOX}" height="24" rx="3" fill="${fill}"${step.deviates === true || step.unexplained === true ? ODD : ''}/>
<svg x="${x + 6}" y="${y}" width="${BOX - 10}" height="24"><text y="16" fill="#ffffff">${index + 1}. ${markup(step.label, 44)}</text></svg></g>`;
  });
  const marker =
    '<marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#888"/></marker>';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="The path of the attack">
<defs>${marker}</defs>\n${[...heads, ...arrows, ...boxes].join('\n')}\n</svg>`;
}

/** Endpoints, clients and resources are outside of every instance, whoever saw them. */
const inside = ({ kind, instanceId }: Step): boolean =>
  instanceId !== undefined && kind !== 'endpoint' && kind !== 'client' && kind !== 'resource';
