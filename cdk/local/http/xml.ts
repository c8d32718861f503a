import { XMLParser } from 'fast-xml-parser';

/** Content of an XML element: text, children by name, several of a name, or nothing at all. */
export type XmlValue = string | number | boolean | undefined | XmlNode | readonly XmlValue[];
export interface XmlNode {
  readonly [name: string]: XmlValue;
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}

function render(name: string, value: XmlValue, attributes = ''): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((one) => render(name, one)).join('');
  const inner =
    typeof value === 'object'
      ? Object.entries(value as XmlNode)
          .map(([child, content]) => render(child, content))
          .join('')
      : escapeText(String(value));
  return `<${name}${attributes}>${inner}</${name}>`;
}

/** An XML document with one root. `undefined` children are left out; arrays repeat the element, as AWS does. */
export function element(name: string, value: XmlValue, xmlns?: string): string {
  const attributes = xmlns === undefined ? '' : ` xmlns="${xmlns}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${render(name, value, attributes)}`;
}

const parser = new XMLParser({ parseTagValue: false, ignoreAttributes: true, trimValues: false, ignoreDeclaration: true });

/** Parses an XML document; element values stay text. Throws on malformed input. */
export function parseXml(text: string): Record<string, unknown> {
  return parser.parse(text, true) as Record<string, unknown>;
}

/** The children called `name` of a parsed element: none, one and many look alike. */
export function children(parent: unknown, name: string): Record<string, unknown>[] {
  if (typeof parent !== 'object' || parent === null) return [];
  const found = (parent as Record<string, unknown>)[name];
  const list = Array.isArray(found) ? found : found === undefined ? [] : [found];
  return list.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null);
}
