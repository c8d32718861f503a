import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ExportStory } from '../../../functions/export/graph.ts';
import { html } from '../../../functions/export/html.ts';
import { acts } from '../../../functions/graph/acts.ts';
import { hasWeasyprint, opened } from './consumer.ts';
import { attack, hostileStory } from './graphs.ts';

interface Read {
  readonly elements: Readonly<Record<string, number>>;
  readonly attributes: readonly string[];
  readonly text: readonly string[];
  readonly fetched: readonly string[];
  readonly pages: number;
}
const text = (parts: Iterable<string>) => [...parts].join('');
/** Elements that run, load or send something. */
const ACTIVE = [
  'script',
  'img',
  'iframe',
  'object',
  'embed',
  'link',
  'form',
  'base',
  'foreignObject',
  'image',
  'use',
  'video',
  'audio',
];

/** What a page shows of agents and marks. */
const AGENTS = [
  {
    agent: 'arn:aws:iam::1:user/mallory<b>',
    as: 'deployer',
    function: 'cards',
    action: 'UpdateFunctionCode',
    at: 1_770_000_000_000_000,
  },
] as const;

describe.skipIf(!hasWeasyprint)('HTML report, parsed and laid out on paper', () => {
  let told: ExportStory;
  let read: Read;
  beforeAll(async () => {
    ({ told } = await attack());
    read = opened<Read>('html', [text(html(told))])[0]!;
  });

  it('tells every step with its reason and evidence, the requests, and what was reused', () => {
    const all = read.text.join('\n').replace(/\s+/g, ' ');
    expect(read.elements.li).toBe(told.steps.length + acts(told.steps).length);
    for (const { label, reason, evidence } of told.steps) {
      expect(all).toContain(label);
      expect(all).toContain(reason);
      for (const { segment, seq } of evidence) expect(all).toContain(`${segment}#${seq}`);
    }
    for (const { requestId } of told.requests) expect(all).toContain(requestId);
    expect(told.reused.length).toBeGreaterThan(0);
    expect(read.elements.table).toBe(2);
    expect(all).toContain('Nothing was cut off');
  });

  it('says what stands out in a step, and who was behind it', () => {
    const [one, ...others] = told.steps;
    const page = text(html({ ...told, steps: [{ ...one!, deviates: true }, ...others], agents: AGENTS }));
    expect(page.match(/no other instance did this/g)).toHaveLength(1);
    expect(page).toContain(
      '<td>arn:aws:iam::1:user/mallory&lt;b&gt;</td><td>cards</td><td>UpdateFunctionCode, 2026-02-02T02:40:00.000000Z</td>',
    );
    expect(text(html(told))).not.toContain('no other instance did this');
  });

  it('says what was cut, above the steps', () => {
    const page = text(html({ ...told, cut: ['endpoint:x: not all of its neighbours (limit)'] }));
    expect(page.indexOf('not all of its neighbours')).toBeGreaterThan(0);
    expect(page.indexOf('not all of its neighbours')).toBeLessThan(page.indexOf('<h2>The path'));
  });

  it('shows the path as a picture with a box for each step that carried it', () => {
    expect(read.elements.svg).toBeGreaterThan(0);
    expect(read.elements.marker).toBe(1);
    expect(read.elements.rect).toBe(told.steps.filter(({ role }) => role !== 'touched').length);
  });

  it('fits on pages, loads nothing and runs nothing', () => {
    expect(read.fetched).toEqual([]);
    expect(read.pages).toBeGreaterThan(0);
    for (const name of ACTIVE) expect(read.elements[name], name).toBeUndefined();
    expect(text(html(told))).toContain('default-src &#39;none&#39;; style-src &#39;sha256-');
  });

  it('shows hostile texts as texts', () => {
    const stories = fc.sample(hostileStory, { numRuns: 8, seed: 19 });
    const pages = opened<Read>(
      'html',
      stories.map((one) => text(html(one))),
    );
    const known = new Set([...(read.elements ? Object.keys(read.elements) : []), 'div', 'ul', 'li', 'p']);
    for (const [i, page] of pages.entries()) {
      expect(page.fetched).toEqual([]);
      expect(Object.keys(page.elements).filter((name) => !known.has(name))).toEqual([]);
      const { steps } = stories[i]!;
      expect(page.elements.li).toBe(steps.length + acts(steps).length + 1);
      expect(page.attributes.filter((name) => /^on/i.test(name) || name === 'style' || name === 'src')).toEqual([]);
    }
  }, 120_000);
});
