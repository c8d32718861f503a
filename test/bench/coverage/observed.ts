import type { Observation, Peer } from '../../../layers/record/types.ts';
import { Edges, Totals } from './edges.ts';

const peerName = (peer: Peer) => (peer.proto === 'unix' ? `unix:${peer.addr}` : `${peer.proto}:${peer.addr}:${peer.port}`);

/** The shim's side: what its records say, as edges. */
export function observedEdges(seen: readonly Observation[]): Edges {
  const edges = new Edges();
  const bytes = new Totals();
  const started = new Set<number>();
  const execs = new Map<number, string[]>();
  for (const o of seen) {
    const pid = Number.parseInt(o.proc ?? '0', 10);
    switch (o.kind) {
      case 'process-start':
        if (o.parent !== null && !started.has(pid) && o.how !== 'runtime')
          edges.add('fork', Number.parseInt(o.parent, 10), `${pid}`);
        started.add(pid);
        break;
      case 'process-exec': {
        const list = execs.get(o.child ?? pid) ?? [];
        execs.set(o.child ?? pid, list);
        if (o.ok) list.push(o.path);
        else if (o.child === undefined) list.pop();
        break;
      }
      case 'process-exit':
        if (o.signal !== undefined) edges.add('exit', o.child ?? pid, `signal ${o.signal}`);
        else edges.add('exit', o.child ?? pid, `code ${o.code}`);
        break;
      case 'file-open':
        if (o.mode !== 'w') edges.add('read', pid, o.path);
        if (o.mode !== 'r') edges.add('write', pid, o.path);
        if (o.created) edges.add('create', pid, o.path);
        if (o.truncated) edges.add('truncate', pid, o.path);
        break;
      case 'file-close':
        if (!o.path.startsWith('pipe:[')) break;
        if (o.read > 0) edges.add('pipe', pid, `from ${o.path}`);
        if (o.written > 0) edges.add('pipe', pid, `to ${o.path}`);
        break;
      case 'file-change':
        if (o.op === 'symlink') edges.add('symlink', pid, o.to ?? '');
        else edges.add(o.op, pid, o.to === undefined ? o.path : `${o.path} -> ${o.to}`);
        break;
      case 'socket-connect':
        if (o.errno === undefined) edges.add('connect', pid, peerName(o.peer));
        break;
      case 'socket-accept':
        edges.add('accept', pid, peerName(o.peer));
        break;
      case 'socket-bind':
        edges.add('bind', pid, peerName(o.peer));
        break;
      case 'socket-close':
        if (o.peer.addr.startsWith('socketpair of ')) {
          if (o.received > 0) edges.add('pair', pid, `from ${o.peer.addr}`);
          if (o.sent > 0) edges.add('pair', pid, `to ${o.peer.addr}`);
        } else bytes.add(pid, peerName(o.peer), o.received, o.sent);
        break;
      default:
        break;
    }
  }
  for (const [pid, paths] of execs) for (const path of paths) edges.add('exec', pid, path);
  bytes.into(edges);
  return edges;
}
