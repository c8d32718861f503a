import { element, type XmlNode, type XmlValue } from '../../http/xml.ts';
import type { Fields } from './operations.ts';

export const SQS_XMLNS = 'http://queue.amazonaws.com/doc/2012-11-05/';

/** `Name.1.Sub=…` form fields as a tree: numbered levels become arrays later. */
interface Tree {
  [name: string]: string | Tree;
}

function tree(form: URLSearchParams): Tree {
  const root: Tree = {};
  for (const [path, value] of form) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let at = root;
    for (const step of steps) {
      const next = at[step];
      const inner: Tree = typeof next === 'object' ? next : {};
      at[step] = inner;
      at = inner;
    }
    at[last] = value;
  }
  return root;
}

function numbered(value: string | Tree | undefined): (string | Tree)[] {
  if (value === undefined || typeof value === 'string') return [];
  return Object.entries(value)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, one]) => one);
}

/** `MessageAttribute.1.Name / .Value.StringValue` → the JSON protocol's map. */
function attributeMap(value: string | Tree | undefined): Fields {
  return Object.fromEntries(
    numbered(value)
      .filter((one): one is Tree => typeof one === 'object')
      .map((one) => [String(one.Name), one.Value]),
  );
}

function entry(fields: Tree): Fields {
  const { MessageAttribute, MessageSystemAttribute, ...rest } = fields;
  return {
    ...rest,
    MessageAttributes: attributeMap(MessageAttribute),
    MessageSystemAttributes: attributeMap(MessageSystemAttribute),
  };
}

/** Query-protocol form → input of the JSON protocol. */
export function queryInput(action: string, form: URLSearchParams): Fields {
  const root = tree(form);
  const batch = root[`${action}RequestEntry`];
  return {
    ...entry(root),
    ...(batch === undefined ? {} : { Entries: numbered(batch).map((one) => entry(one as Tree)) }),
    AttributeNames: numbered(root.AttributeName),
    MessageSystemAttributeNames: numbered(root.MessageSystemAttributeName),
    MessageAttributeNames: numbered(root.MessageAttributeName),
  };
}

const pairs = (map: unknown): XmlValue =>
  Object.entries((map ?? {}) as Record<string, XmlValue>).map(([Name, Value]) => ({ Name, Value })) as XmlValue;

function message(fields: Fields): XmlNode {
  const { Attributes, MessageAttributes, ...rest } = fields;
  return { ...(rest as XmlNode), Attribute: pairs(Attributes), MessageAttribute: pairs(MessageAttributes) };
}

/** Output of the JSON protocol → XML of the query protocol, where lists are flat and named after the operation. */
export function queryOutput(action: string, output: Fields, requestId: string): string {
  const { Messages, Successful, Failed, Attributes, QueueUrls, ...rest } = output;
  const result: XmlNode = {
    ...(rest as XmlNode),
    Message: ((Messages ?? []) as Fields[]).map(message),
    [`${action}ResultEntry`]: (Successful ?? []) as XmlValue,
    BatchResultErrorEntry: (Failed ?? []) as XmlValue,
    Attribute: pairs(Attributes),
    QueueUrl: (QueueUrls as XmlValue | undefined) ?? (rest.QueueUrl as XmlValue),
  };
  return element(`${action}Response`, { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } }, SQS_XMLNS);
}
