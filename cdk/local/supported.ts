import { IGNORED_TYPES } from './resources/ignored.ts';
import { RESOURCE_TYPES } from './resources/index.ts';
import type { Properties, Shape } from './template/resource-type.ts';

/** Paths of a shape's properties: those with an effect, and those accepted without one with the reason. */
function paths(shape: Properties, prefix = ''): { effective: string[]; ignored: [string, string][] } {
  const effective: string[] = [];
  const ignored: [string, string][] = [];
  const visit = (path: string, one: Shape): void => {
    if (one === true) effective.push(path);
    else if (typeof one === 'string') ignored.push([path, one]);
    else {
      const inner = Array.isArray(one) ? (one[0] as Shape) : one;
      if (typeof inner === 'object' && !Array.isArray(inner)) {
        const found = paths(inner as Properties, `${path}.`);
        effective.push(...found.effective);
        ignored.push(...found.ignored);
      } else visit(path, inner);
    }
  };
  for (const [name, one] of Object.entries(shape)) visit(prefix + name, one);
  return { effective, ignored };
}

/** Markdown page of everything the engine takes from a template. */
export function supportedResources(): string {
  const lines = [
    '# What runs locally',
    '',
    'Anything that is not listed is refused with an error that names it.',
    '',
    '## Resource types',
    '',
  ];
  for (const type of [...RESOURCE_TYPES.values()].sort((a, b) => (a.type < b.type ? -1 : 1))) {
    const { effective, ignored } = paths(type.properties);
    lines.push(`### ${type.type}`, '', `Effective: ${effective.join(', ')}.`, '');
    if (ignored.length > 0)
      lines.push(
        '| accepted without effect | because |',
        '|---|---|',
        ...ignored.map(([path, reason]) => `| ${path} | ${reason} |`),
        '',
      );
  }
  lines.push('## Resource types without effect', '', '| type | because |', '|---|---|');
  for (const { type, reason } of IGNORED_TYPES) lines.push(`| ${type} | ${reason} |`);
  return `${lines.join('\n')}\n`;
}
