import { expect, it } from 'vitest';
import { type Clients, readAccount } from '../../functions/inventory/account.ts';

const ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:hub';

/** Lambda's answers, by the name of the command; other services have nothing. */
function clients(answers: Readonly<Record<string, object>>): Clients {
  const answering = { send: async (command: object) => answers[command.constructor.name] ?? {} };
  const names = ['lambda', 'httpApis', 'restApis', 'events', 's3', 'sns'];
  return Object.fromEntries(names.map((name) => [name, answering])) as unknown as Clients;
}

it('names a function with more ways in than are kept, and keeps what it polls and its address', async () => {
  const statements = Array.from({ length: 300 }, (_, n) => ({
    ...{ Effect: 'Allow', Action: 'lambda:InvokeFunction', Principal: { AWS: String(100_000_000_000 + n) } },
  }));
  const { functions, unread } = await readAccount(
    clients({
      ListFunctionsCommand: { Functions: [{ FunctionName: 'hub', FunctionArn: ARN }] },
      ListEventSourceMappingsCommand: {
        EventSourceMappings: [{ FunctionArn: ARN, EventSourceArn: 'arn:aws:sqs:eu-west-1:123456789012:orders' }],
      },
      GetPolicyCommand: { Policy: JSON.stringify({ Statement: statements }) },
      ListFunctionUrlConfigsCommand: { FunctionUrlConfigs: [{ AuthType: 'NONE', FunctionUrl: 'https://x.example/' }] },
    }),
  );
  expect(functions[0]?.sources).toHaveLength(200);
  expect(functions[0]?.sources.slice(0, 2).map(({ by }) => by)).toEqual(['mapping', 'url']);
  expect(unread).toContain('lambda: hub has 302 ways in, of which 200 are kept');
});
