import { dot } from './dot.ts';
import type { ExportGraph, ExportStory } from './graph.ts';
import { graphml } from './graphml.ts';
import { ocsf } from './ocsf.ts';
import { otlp } from './otlp.ts';
import { provJson, provJsonLd } from './prov.ts';
import { stix } from './stix.ts';

interface Format {
  readonly says: string;
  /** The text in pieces, so that a large graph is never one string. */
  readonly write: (graph: ExportGraph, story: ExportStory | undefined) => Iterable<string>;
}

/** Formats of a graph; `html` is made of a story alone. */
export const formats: Readonly<Record<string, Format>> = {
  dot: { says: 'Graphviz DOT', write: dot },
  graphml: { says: 'GraphML, for Gephi, yEd, networkx, Neo4j', write: graphml },
  'prov-json': { says: 'W3C PROV-JSON', write: provJson },
  'prov-jsonld': { says: 'W3C PROV-JSONLD', write: provJsonLd },
  ocsf: { says: 'OCSF 1.7.0 events, one a line; with --node also a detection finding', write: ocsf },
  stix: { says: 'STIX 2.1 bundle of the observables', write: (graph) => [stix(graph)] },
  otlp: { says: 'OpenTelemetry spans, OTLP/JSON', write: otlp },
};
