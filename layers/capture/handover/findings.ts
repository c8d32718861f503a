import type { JoinKey, ResourceRef } from '../../record/types.ts';

const MAX_KEYS = 2000;
const MAX_RESOURCES = 2000;
/** Longer identifiers than any service issues; an S3 key has at most 1024 bytes. */
const MAX_LENGTH = 1500;

/** Collects what a reader finds: each key and resource once, in order, and not without bound. */
export class Findings {
  private readonly byKey = new Map<string, JoinKey>();
  private readonly byResource = new Map<string, ResourceRef>();

  /** The service issued this identifier. Anything but a non-empty string is left out. */
  exact(prefix: string, id: unknown): void {
    this.add(prefix, id, 'exact');
  }
  /** Content had to be compared. */
  inferred(prefix: string, id: unknown): void {
    this.add(prefix, id, 'inferred');
  }
  private add(prefix: string, id: unknown, sure: JoinKey['sure']): void {
    if (typeof id !== 'string' || id === '' || id.length > MAX_LENGTH || this.byKey.size >= MAX_KEYS) return;
    const key = `${prefix}:${id}`;
    if (this.byKey.get(key)?.sure !== 'exact') this.byKey.set(key, { key, sure });
  }

  resource(type: ResourceRef['type'], id: string | undefined, access: ResourceRef['access']): void {
    if (id === undefined || id.length > MAX_LENGTH || this.byResource.size >= MAX_RESOURCES) return;
    this.byResource.set(`${access} ${id}`, { type, id, access });
  }

  get keys(): JoinKey[] {
    return [...this.byKey.values()];
  }
  get resources(): ResourceRef[] {
    return [...this.byResource.values()];
  }
}
