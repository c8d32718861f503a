/** Two hundred shells, one after the other. */
import { spawnSync } from 'node:child_process';

export const handler = async () => {
  for (let i = 0; i < 200; i++) {
    const { status } = spawnSync('/bin/sh', ['-c', ': $0', String(i)]);
    if (status !== 0) throw new Error(`shell ${i} ended with ${status}`);
  }
  return { statusCode: 200, body: '{}' };
};
