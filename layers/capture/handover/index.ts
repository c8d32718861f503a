import type { JoinKey, ResourceRef } from '../../record/types.ts';
export function readExchange(_x: object): { aws?: { service: string; operation: string }; keys: JoinKey[]; resources: ResourceRef[] } {
  return { keys: [], resources: [] };
}
