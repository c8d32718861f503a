import { FUNCTION_NAME, INSTANCE_ID, parseSegmentKey } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import type { InstanceObjects, Part, StoredObject, Strange } from './evidence.ts';

/**
 * Objects of one instance, and versions of one object: a recorder that ships every second for a day makes fewer. A function
 * may put there whatever it likes, and what is known of them is kept in memory.
 */
export const MOST_OBJECTS = 100_000;

/**
 * Puts objects, in the order of their keys, together to instances. Of an instance that is not asked for, nothing is kept.
 * @throws Error when an instance has more than {@link MOST_OBJECTS}
 */
export async function* byInstance(
  objects: AsyncIterable<StoredObject>,
  { fn, instanceId }: Part,
): AsyncGenerator<InstanceObjects | Strange> {
  let open: { readonly fn: string; readonly instanceId: InstanceId; readonly objects: StoredObject[] } | undefined;
  for await (const object of objects) {
    const [, name = '', instance = ''] = object.key.split('/');
    if (parseSegmentKey(object.key) === undefined || !FUNCTION_NAME.test(name) || !INSTANCE_ID.test(instance)) {
      yield { strange: object.key };
      continue;
    }
    if ((fn !== undefined && fn !== name) || (instanceId !== undefined && instanceId !== instance)) continue;
    if (open === undefined || open.fn !== name || open.instanceId !== instance) {
      if (open !== undefined) yield open;
      open = { fn: name, instanceId: instance as InstanceId, objects: [] };
    }
    // Only a marker is left where every version is gone.
    if (object.versions.length === 0) continue;
    if (open.objects.length >= MOST_OBJECTS)
      throw new Error(`segments/${name}/${instance}/ has more than ${MOST_OBJECTS} objects: no recorder writes so many`);
    open.objects.push(object);
  }
  if (open !== undefined) yield open;
}
