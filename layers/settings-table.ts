import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTable } from './settings.ts';

/** Writes the settings table of docs/capture.md anew: `node layers/settings-table.ts`. A test says when it is needed. */
const page = join(import.meta.dirname, '../docs/capture.md');
const text = readFileSync(page, 'utf8');
const [begin, end] = [/<!-- settings: .*? -->\n/, '<!-- end of settings -->'];
const from = begin.exec(text);
const to = text.indexOf(end);
if (from === null || to < 0) throw new Error(`${page} has no place for the settings: the two comments around it are missing`);
writeFileSync(page, `${text.slice(0, from.index + from[0].length)}\n${settingsTable()}\n\n${text.slice(to)}`);
