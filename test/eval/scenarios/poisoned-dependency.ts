/** Poisoned dependency: a package that a function was built with sends the environment away when it is loaded. */
import { exactly } from '../../../examples/hello-retail/attack/ground-truth.ts';
import { browser } from '../../../examples/hello-retail/attack/shop.ts';
import { named, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const poisonedDependency: Scenario = {
  name: 'poisoned-dependency',
  what: 'a package of a function sends its environment away at every cold start',
  starts: 'domain',
  hosts: ['collector'],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { host } = world.host('collector');
  // Whoever comes first makes the function start: to the attacker all are the same.
  await world.call('GET', '/quote?words=100', { agent: browser });
  await world.until(() => world.visits('collector').length > 0);
  if (!world.visits('collector').some(({ body }) => body.includes('AWS_SECRET_ACCESS_KEY='))) {
    throw new Error(`nothing arrived at ${host}`);
  }
  const at = { function: named('quote') } as const;
  const truth = new Truth()
    .attack('the call', { kind: 'exchange', label: `^POST https://${host}/`, ...at })
    .attack('the runtime that loaded the package', { kind: 'process', label: 'node', ...at })
    .attack('the code of the function', { kind: 'image-tree', label: exactly('/var/task'), ...at })
    .context('its layers, which are code as well', { kind: 'image-tree', label: exactly('/opt'), ...at })
    .endpoint(host);
  return { fact: { what: 'domain', q: host }, entries: [], steps: truth.steps };
}
