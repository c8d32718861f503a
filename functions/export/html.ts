import { createHash } from 'node:crypto';
import { acts } from '../graph/acts.ts';
import { type ExportAgent, type ExportStory, evidenceOf, iso } from './graph.ts';
import { pathPicture } from './picture.ts';
import { markup } from './text.ts';

type Step = ExportStory['steps'][number];

const STYLE = `
:root { color-scheme: light dark; --ink: #111; --faint: #555; --rule: #999; --touched: #bbb; --paper: #fff; --odd: #b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --faint: #aaa; --rule: #666; --touched: #555; --paper: #161616; --odd: #ff7b72; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
a { color: inherit; } h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid var(--rule); break-after: avoid; }
code { font: .87em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
ol.steps { padding-left: 2.2rem; } ol.steps > li { margin: 0 0 .8rem; padding-left: .4rem; break-inside: avoid; overflow-wrap: anywhere; }
li.start { border-left: 4px solid var(--odd); } li.carried { border-left: 4px solid var(--ink); } li.touched { border-left: 4px solid var(--touched); color: var(--faint); }
.kind, .meta { color: var(--faint); font-size: .87em; } .label { font-weight: 600; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); padding: .25rem .6rem .25rem 0; } th { white-space: nowrap; } td { overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } svg svg { overflow: hidden; } svg text { font: 10px system-ui, sans-serif; }
.odd { border: 1px solid var(--odd); color: var(--odd); border-radius: 3px; padding: 0 .35rem; white-space: nowrap; }
.cut { border: 2px solid #b60; padding: .3rem 1rem; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } svg, tr { break-inside: avoid; } }
`;
/** Nothing is loaded or run, whatever a text in the report holds: the one style is named by its digest. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** A story as one HTML page without scripts or anything to load; every text in it is escaped. */
export function* html(told: ExportStory): Generator<string> {
  const carried = told.steps.filter(({ role }) => role !== 'touched').length;
  const first = told.steps[0];
  const last = told.steps.at(-1);
  yield `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${markup(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<title>Alastor: ${markup(told.label, 120)}</title><style>${STYLE}</style></head><body>
<h1>How an attack came to ${markup(told.label, 300)}</h1>
<p>${told.steps.length} steps, of which ${carried} carried it and ${told.steps.length - carried} were read on the way;
${told.requests.length} requests in ${told.instances.length} instances${first && last ? `, from ${iso(first.at)} to ${iso(last.at)}` : ''}.
Asked about: <code>${markup(told.node)}</code>.</p>
`;
  yield* missing(told);
  yield '<h2>In short</h2>\n<ol>\n';
  for (const { at, text } of acts(told.steps)) yield `<li>${iso(at)} ${markup(text, 400)}</li>\n`;
  yield '</ol>\n';
  yield `<h2>The path</h2>\n${pathPicture(told)}\n<h2>Steps</h2>\n<ol class="steps">\n`;
  for (const [i, step] of told.steps.entries()) yield* line(step, i, told);
  yield '</ol>\n';
  yield* table('Requests', ['Request', 'Function', 'Instance', 'Called from outside'], told.requests, (one) => [
    one.requestId,
    one.function,
    one.instanceId,
    one.entry ? 'yes' : 'no',
  ]);
  if (told.agents !== undefined) yield* behind(told.agents);
  yield* table('Reused', ['What', 'Name', 'Instance', 'Left by request', 'Used by request'], told.reused, (one) => [
    one.what,
    one.label,
    one.instanceId,
    one.from,
    one.to,
  ]);
  yield '<p class="meta">Times are UTC, by the clock of the instance that recorded them. Evidence is named as segment#record.</p>\n';
  yield '</body></html>\n';
}

/** Who put the code there that ran, and whose rights it used. */
function behind(agents: readonly ExportAgent[]): Generator<string> {
  const did = ({ as, action, at }: ExportAgent) =>
    as === 'role'
      ? 'called services with the rights of this role'
      : `${action ?? 'deployed'}${at === undefined ? '' : `, ${iso(at)}`}`;
  return table('Who was behind it', ['Agent', 'Function', 'What'], agents, (one) => [one.agent, one.function, did(one)]);
}

function* missing({ cut }: ExportStory): Generator<string> {
  if (cut.length === 0) yield '<p>Nothing was cut off this story.</p>\n';
  else {
    yield '<div class="cut"><p>This story is not complete:</p><ul>\n';
    for (const one of cut) yield `<li>${markup(one)}</li>\n`;
    yield '</ul></div>\n';
  }
}

function* line(step: Step, index: number, { steps }: ExportStory): Generator<string> {
  const place = [
    iso(step.at),
    ...(step.function === undefined ? [] : [step.function]),
    ...(step.requestId === undefined ? [] : [`request ${step.requestId}`]),
    ...(step.instanceId === undefined ? [] : [`instance ${step.instanceId}`]),
  ];
  const target = step.parent === undefined ? undefined : steps[step.parent];
  const leads =
    target === undefined
      ? ''
      : ` → <a href="#step-${(step.parent ?? 0) + 1}">step ${(step.parent ?? 0) + 1}</a>, ${markup(target.label, 100)}`;
  const flow = [
    ...(step.via === undefined ? [] : [`edge ${step.via}`]),
    ...(step.by === undefined ? [] : [`by ${step.by}`]),
    ...(step.bytes === undefined ? [] : [`${step.bytes} bytes`]),
    step.sure === 'exact' ? 'observed or joined by an issued identifier' : 'inferred',
  ];
  yield `<li class="${roleOf(step)}" id="step-${index + 1}"><span class="kind">${markup(step.kind)} · ${roleOf(step)}</span>${badges(step)}
<div class="label">${markup(step.label, 300)}</div>
<div>${markup(step.reason)}${leads}</div><div class="meta">${markup(place.join(' · '))}</div><div class="meta">${markup(flow.join(' · '))}</div>
`;
  const evidence = evidenceOf(step);
  if (evidence.length > 0)
    yield `<div class="meta">evidence ${evidence.map((one) => `<code>${markup(one)}</code>`).join(' ')}</div>\n`;
  yield '</li>\n';
}

/** What stands out. */
const badges = ({ deviates, unexplained }: Step): string =>
  [
    ...(deviates === true ? [' <span class="odd">no other instance did this</span>'] : []),
    ...(unexplained === true ? [' <span class="odd">nothing configured explains this request</span>'] : []),
  ].join('');

/** One of three words, whatever the answer said: it becomes a class. */
const roleOf = ({ role }: Step): string => (role === 'start' || role === 'carried' ? role : 'touched');

function* table<T>(
  title: string,
  heads: readonly string[],
  rows: readonly T[],
  cells: (row: T) => readonly string[],
): Generator<string> {
  yield `<h2>${title}</h2>\n`;
  if (rows.length === 0) {
    yield '<p>None.</p>\n';
    return;
  }
  yield `<table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>\n`;
  for (const row of rows)
    yield `<tr>${cells(row)
      .map((cell) => `<td>${markup(cell)}</td>`)
      .join('')}</tr>\n`;
  yield '</tbody></table>\n';
}
