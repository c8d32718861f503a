import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startInternet } from '../../examples/hello-retail/attack/hosts.ts';
import { seededRandom } from '../../examples/hello-retail/attack/random.ts';
import { visitors } from '../../examples/hello-retail/attack/traffic.ts';
import { customers } from '../../examples/hello-retail/catalog.ts';
import { isCardNumber } from '../../examples/hello-retail/functions/authorize-cc/cards.ts';
import { fingerprintOf } from '../../examples/hello-retail/functions/authorize-cc/fingerprint.ts';
import { orderIdOf, readOrderForm } from '../../examples/hello-retail/functions/purchase/order-form.ts';

const run = promisify(execFile);

describe('order form', () => {
  const form = { idempotencyKey: 'k', user: 'ada', product: 'e-reader' };

  it.each([
    ['no body', undefined, 'the body must be a JSON object'],
    ['a list', '[]', 'the body must be a JSON object'],
    ['no user', JSON.stringify({ ...form, user: undefined }), 'user is missing'],
    ['half a thing', JSON.stringify({ ...form, quantity: 0.5 }), 'quantity must be a whole number from 1 to 100'],
    ['half a card', JSON.stringify({ ...form, card: { number: '1' } }), 'holder is missing'],
  ])('%s is refused in words for the client', (_, body, message) => {
    expect(() => readOrderForm(body)).toThrow(message);
  });

  it('makes the same order of the same form, and another of another user', () => {
    expect(orderIdOf(form)).toBe(orderIdOf({ ...form }));
    expect(orderIdOf(form)).not.toBe(orderIdOf({ ...form, user: 'brian' }));
  });
});

describe('cards', () => {
  it('takes the test numbers and refuses a wrong digit', () => {
    for (const { number } of customers) expect(isCardNumber(number)).toBe(true);
    expect(isCardNumber('4111111111111112')).toBe(false);
  });

  it('has the vulnerability that both attacks begin with: the name reaches a shell', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hello-retail-'));
    try {
      expect(await fingerprintOf('Ada Perez')).toMatch(/^[0-9a-f]{64}$/);
      await fingerprintOf(`Ada Perez";touch ${folder}/here;: "`);
      expect(existsSync(`${folder}/here`)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the attacker's internet", () => {
  it('serves over TLS that curl accepts, keeps what it receives, and ends without a trace', async () => {
    const internet = await startInternet(seededRandom(7));
    const folder = mkdtempSync(join(tmpdir(), 'hello-retail-'));
    try {
      writeFileSync(join(folder, 'ca.pem'), internet.caPem);
      const [{ host, address, port, url }] = internet.attacker.hosts as [(typeof internet.attacker.hosts)[number]];
      internet.attacker.serve(host, '/tool', 'the tool');
      const curl = ['-sS', '--cacert', join(folder, 'ca.pem'), '--resolve', `${host}:${port}:${address}`];
      expect((await run('curl', [...curl, `${url}/tool`])).stdout).toBe('the tool');
      await run('curl', [...curl, '-d', 'loot', `${url}/drop`]);
      expect(internet.attacker.visits).toMatchObject([
        { host, method: 'GET', path: '/tool' },
        { host, method: 'POST', path: '/drop', body: 'loot' },
      ]);
    } finally {
      await internet.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('random', () => {
  it('repeats with a seed, differs without', () => {
    const draw = (seed: number) => visitors(seededRandom(seed), 12).map(({ what }) => what);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('sends every kind of visitor', () => {
    const expected = new Set(visitors(seededRandom(3), 6).map((visitor) => visitor.expected));
    expect(expected).toEqual(new Set([200, 201, 400, 402, 404]));
  });
});
