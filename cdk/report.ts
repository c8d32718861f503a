import { CfnOutput, Lazy, Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** Functions that one output tells of: CloudFormation takes 200 outputs of a stack and some kilobytes in each. */
const perOutput = 25;
const longestReason = 100;

/**
 * Which functions are audited and why others are not, as outputs of their stack: `<id>Functions`, `<id>Functions2`, …, each a JSON
 * object from the path of a function within the stack to `audited`, `excluded` or the reason.
 */
export class AuditReport {
  readonly #owner: Construct;
  readonly #byStack = new Map<Stack, Map<string, string>>();

  constructor(owner: Construct) {
    this.#owner = owner;
  }

  /** The last word on a function holds, but for one that is audited by another call. */
  tell(fn: LambdaFunction, status: string): void {
    const stack = deployed(Stack.of(fn));
    const told = this.#byStack.get(stack) ?? new Map<string, string>();
    this.#byStack.set(stack, told);
    const path = fn.node.path.slice(stack.node.path.length + 1);
    if (told.get(path) === 'audited') return;
    const isNew = !told.has(path);
    told.set(path, status.slice(0, longestReason));
    if (isNew && told.size % perOutput === 1) this.#output(stack, told, Math.floor(told.size / perOutput));
  }

  #output(stack: Stack, told: ReadonlyMap<string, string>, page: number): void {
    const part = () => Object.fromEntries([...told].slice(page * perOutput, (page + 1) * perOutput));
    const name = `${this.#owner.node.id}Functions${page === 0 ? '' : page + 1}`.replace(/[^A-Za-z0-9]/g, '');
    // Another construct of the same id, in another stack, may tell of functions of this one, too.
    const id = stack.node.tryFindChild(name) === undefined ? name : `${name}${this.#owner.node.addr.slice(-8)}`;
    const output = new CfnOutput(stack, id, {
      value: Lazy.string({ produce: () => JSON.stringify(part()) }),
      description: 'Functions of this stack and whether Alastor audits them',
    });
    output.overrideLogicalId(id);
  }
}

/** Outputs of nested stacks are seen by nobody. */
function deployed(stack: Stack): Stack {
  return stack.nestedStackParent === undefined ? stack : deployed(stack.nestedStackParent);
}
