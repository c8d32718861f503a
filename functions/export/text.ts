import { shown } from '../graph/ids.ts';

/**
 * Evidence as text for any format: control characters, direction overrides and lone surrogates percent-escaped, the two
 * non-characters that XML forbids replaced, at most `longest` UTF-16 units. A format's own escaping comes after it.
 */
export const plain = (text: string, longest = 2000): string => shown(text, longest).replace(/[\ufffe\uffff]/g, '\ufffd');

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text in the content or a quoted attribute of HTML and XML. */
export const markup = (text: string, longest?: number): string =>
  plain(text, longest).replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

/**
 * A quoted string of DOT. Graphviz reads character references and backslash escapes in labels, so that both are escaped:
 * https://graphviz.org/doc/info/lang.html, https://graphviz.org/docs/attr-types/escString/
 */
export const quoted = (text: string, longest?: number): string =>
  `"${plain(text, longest).replaceAll('&', '&amp;').replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
