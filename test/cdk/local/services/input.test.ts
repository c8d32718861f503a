import { describe, expect, it } from 'vitest';
import { targetPayload } from '../../../../cdk/local/services/events/input.ts';

const event = {
  version: '0',
  id: 'e1',
  'detail-type': 'order',
  source: 'shop',
  account: '1',
  time: '2026-01-01T00:00:00Z',
  region: 'r',
  resources: [],
  detail: { id: 'o"1', total: 5, lines: [{ sku: 'a' }] },
};
const rule = { name: 'my-rule', arn: 'arn:aws:events:r:1:rule/my-rule' };
const paths = { id: '$.detail.id', total: '$.detail.total', sku: '$.detail.lines[0].sku', none: '$.detail.none' };
const transformed = (template: string) => targetPayload({ transformer: { paths, template } }, event, rule);

describe('the input of a rule target', () => {
  it('is the event, a constant, or a part of the event', () => {
    expect(JSON.parse(targetPayload({}, event, rule))).toEqual(event);
    expect(targetPayload({ input: '{"x":1}' }, event, rule)).toBe('{"x":1}');
    expect(targetPayload({ inputPath: '$.detail.lines[0]' }, event, rule)).toBe('{"sku":"a"}');
  });

  it('is made from a template: bare in quotes, JSON elsewhere', () => {
    expect(JSON.parse(transformed('{"text": "order <id>: <total>", "n": <total>, "sku": <sku>, "none": <none>}'))).toEqual({
      text: 'order o"1: 5',
      n: 5,
      sku: 'a',
      none: '',
    });
    expect(transformed('order <total> of <sku>')).toBe('order 5 of a');
    expect(transformed('"order <total>"')).toBe('"order 5"');
    expect(JSON.parse(transformed('{"rule": "<aws.events.rule-name>", "all": <aws.events.event.json>}'))).toEqual({
      rule: 'my-rule',
      all: event,
    });
  });
});
