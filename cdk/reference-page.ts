import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes the tables of docs/reference.md anew from the sources: `node cdk/reference-page.ts`. A test says when it is needed. */

interface Prop {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly says: string;
  readonly fallback: string;
}

/** Interfaces that are told of, by file; in each file in the order that they stand there. */
const files: readonly (readonly [file: string, ...interfaces: readonly string[]])[] = [
  ['props.ts', 'AlastorProps', 'AuditProps'],
  ['sharing.ts', 'SharingProps'],
  ['monitoring.ts', 'MonitoringProps'],
  ['audit.ts', 'AuditOptions', 'AuditAllOptions'],
  ['../layers/settings.ts', 'AuditSettings'],
  ['reference.ts', 'AlastorReferenceProps'],
  ['collector.ts', 'AlastorCollectorProps'],
  ['docker-image.ts', 'AuditedImageAssetProps'],
];

/** The properties of an interface, as its source describes them. @throws Error when the source has no such interface, or a prop no comment */
export function propsOf(
  source: string,
  name: string,
): { readonly parents: readonly string[]; readonly props: readonly Prop[] } {
  const [, parents = '', body] =
    new RegExp(`export interface ${name}(?: extends ([^{]+))? \\{\\n(.*?)\\n\\}`, 's').exec(source) ?? [];
  if (body === undefined) throw new Error(`there is no interface ${name}`);
  const props: Prop[] = [];
  for (const [, comment = '', prop = '', optional, type = ''] of body.matchAll(
    /(?:\/\*\*(.*?)\*\/\s*)?readonly (\w+)(\??): ([^;]+);/gs,
  )) {
    const text = comment.replace(/\s*\n\s*\* ?/g, ' ').trim();
    if (text === '') throw new Error(`${name}.${prop} has no comment`);
    const [says = '', fallback = ''] = text.split(/\s*@default /);
    props.push({ name: prop, type: type.replace(/\s+/g, ' '), required: optional !== '?', says, fallback });
  }
  return { parents: inherited(parents), props };
}

/** In Markdown: interfaces that it extends, or of which it takes some. */
function inherited(parents: string): string[] {
  return [...parents.matchAll(/Pick<(\w+), ([^>]+)>|\b[A-Z]\w*(?:Props|Options)\b/g)].map(([all, from, names = '']) =>
    from === undefined ? `\`${all}\`` : `${names.replaceAll("'", '`').replaceAll(' | ', ', ')} of \`${from}\``,
  );
}

/** The tables, in Markdown. */
export function referenceTables(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const code = (text: string): string => (text.includes('`') ? `\`\` ${cell(text)} \`\`` : `\`${cell(text)}\``);
  return files
    .flatMap(([file, ...names]) => {
      const source = readFileSync(join(import.meta.dirname, file), 'utf8');
      return names.map((name) => {
        const { parents, props } = propsOf(source, name);
        const rows = props.map(
          (one) =>
            `| \`${one.name}\`${one.required ? ', required' : ''} | ${code(one.type)} | ${cell(one.fallback || '–')} | ${cell(one.says)} |`,
        );
        const more = parents.length === 0 ? [] : ['', `And those of ${parents.join(', ')}.`];
        return [`### ${name}`, '', '| prop | type | default | meaning |', '|---|---|---|---|', ...rows, ...more].join('\n');
      });
    })
    .join('\n\n');
}

export const begin = '<!-- props: made by `node cdk/reference-page.ts` from the sources -->';
export const end = '<!-- end of props -->';

/** The page with its tables as they are to be. @throws Error when it has no place for them */
export function withTables(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`docs/reference.md has no place for the props: ${begin} and ${end} are missing`);
  return `${page.slice(0, from)}${begin}\n\n${referenceTables()}\n\n${page.slice(to)}`;
}

if (process.argv[1] === import.meta.filename) {
  const file = join(import.meta.dirname, '../docs/reference.md');
  writeFileSync(file, withTables(readFileSync(file, 'utf8')));
}
