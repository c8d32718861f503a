import { shown } from './ids.ts';
import type { ExchangeNode, Node } from './model.ts';

/** One line for people, safe to print, at most 200 characters. */
export function label(node: Node): string {
  return shown(text(node), 200);
}

function text(node: Node): string {
  switch (node.kind) {
    case 'function':
      return node.name;
    case 'agent':
      return node.name;
    case 'trigger':
      return `${node.by} ${node.detail ?? ''} ${node.source ?? node.who}`.replace('  ', ' ');
    case 'instance':
      return `${node.fn} ${node.instance}`;
    case 'request':
      return `${node.fn} ${node.trigger ? `${described(node.trigger)} ` : ''}${node.partition}`;
    case 'process':
      return `${node.argv && node.argv.length > 0 ? node.argv.join(' ') : (node.exe ?? 'process')} (${node.proc.split('@')[0]})`;
    case 'file':
      return node.path;
    case 'image-tree':
      return node.root;
    case 'baseline':
      return `${node.fn} ${node.version}: ${node.items} things that its cold starts have in common`;
    case 'endpoint':
      return node.host ?? `${node.addr ?? '?'}:${node.port ?? 0}`;
    case 'exchange':
      return node.aws
        ? `${node.aws.service}:${node.aws.operation}${callee(node)}${node.status === undefined ? '' : ` ${node.status}`}`
        : `${node.method} ${node.scheme}://${node.host}${node.path}${node.status === undefined ? '' : ` ${node.status}`}`;
    case 'resource':
      return node.resource;
    case 'client':
      return `${node.sourceIp} ${node.userAgent}`.trim();
    case 'gap':
      return `${node.why}${node.lost > 0 ? ` (${node.lost} lost)` : ''}${node.detail ? `: ${node.detail}` : ''}`;
  }
}

/** The function that a Lambda call names in its path: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
function callee({ aws, path }: ExchangeNode): string {
  if (aws?.service !== 'lambda') return '';
  const name = /\/functions\/([^/]+)\/(?:response-streaming-)?invocations$/.exec(path)?.[1];
  return name === undefined ? '' : ` ${name}`;
}

function described(trigger: {
  readonly type: string;
  readonly method?: string;
  readonly path?: string;
  readonly source?: string;
}) {
  if (trigger.type === 'http') return `${trigger.method ?? 'http'} ${trigger.path ?? ''}`.trim();
  return trigger.source === undefined ? trigger.type : `${trigger.type} ${trigger.source}`;
}
