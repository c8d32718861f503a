import type { Template } from './assembly.ts';
import { TemplateError, type Where } from './problem.ts';

/** What a created resource answers to. */
export interface Created {
  /** Value of `Ref`: the physical id. */
  readonly ref: string;
  /** Values of `Fn::GetAtt` by attribute name. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Value of `AWS::NoValue`: the property that holds it is as if it was not there. */
const NO_VALUE = Symbol('AWS::NoValue');

export interface ResolverOptions {
  readonly stack: string;
  readonly stackId: string;
  readonly accountId: string;
  readonly region: string;
  readonly template: Template;
  readonly created: ReadonlyMap<string, Created>;
  readonly parameters: ReadonlyMap<string, string>;
  /** What stacks before this one exported, by name. */
  readonly exports: ReadonlyMap<string, string>;
  /** Last word on every string, e.g. to put local addresses in. */
  readonly finish: (text: string) => string;
}

type Intrinsic = (resolver: Resolver, argument: unknown, where: Where) => unknown;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Evaluates the intrinsic functions of a template. Throws TemplateError naming resource, construct and property. */
export class Resolver {
  readonly #options: ResolverOptions;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** A property value with everything in it resolved. `undefined` for AWS::NoValue. */
  resolve(value: unknown, where: Where): unknown {
    const found = this.value(value, where);
    return found === NO_VALUE ? undefined : found;
  }

  /** @internal */
  value(value: unknown, where: Where): unknown {
    if (typeof value === 'string') return this.#plain(value, where);
    if (Array.isArray(value))
      return value.map((one, at) => this.value(one, inside(where, String(at)))).filter((one) => one !== NO_VALUE);
    if (!isObject(value)) return value;
    const [[key, argument] = ['', null], ...more] = Object.entries(value);
    if (more.length === 0 && (key === 'Ref' || key.startsWith('Fn::') || key === 'Condition'))
      return this.#call(key, argument, value, where);
    const resolved: Record<string, unknown> = {};
    for (const [name, one] of Object.entries(value)) {
      const found = this.value(one, inside(where, name));
      if (found !== NO_VALUE) resolved[name] = found;
    }
    return resolved;
  }

  /** @internal */
  text(value: unknown, where: Where): string {
    const found = this.value(value, where);
    if (typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean') return String(found);
    throw new TemplateError(where, `text was expected, not ${JSON.stringify(found)}.`);
  }

  condition(name: string, where: Where): boolean {
    const expression = this.#options.template.Conditions?.[name];
    if (expression === undefined) throw new TemplateError(where, `the condition ${name} is not defined in the template.`);
    return this.value(expression, { stack: where.stack, logicalId: `condition ${name}` }) === true;
  }

  /** @internal */
  ref(name: string, where: Where): unknown {
    const { created, parameters, accountId, region, stack, stackId } = this.#options;
    const pseudo: Record<string, unknown> = {
      'AWS::AccountId': accountId,
      'AWS::Region': region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stack,
      'AWS::StackId': stackId,
      'AWS::NoValue': NO_VALUE,
      'AWS::NotificationARNs': [],
    };
    if (Object.hasOwn(pseudo, name)) return pseudo[name];
    const parameter = parameters.get(name);
    if (parameter !== undefined) return parameter;
    const resource = created.get(name);
    if (resource === undefined) throw new TemplateError(where, `Ref ${name} names nothing that exists in the template.`);
    return resource.ref;
  }

  /** @internal */
  attribute(name: string, attribute: string, where: Where): unknown {
    const resource = this.#options.created.get(name);
    if (resource === undefined)
      throw new TemplateError(where, `Fn::GetAtt ${name}.${attribute} names nothing that exists in the template.`);
    const value = resource.attributes[attribute];
    if (value !== undefined) return value;
    const type = this.#options.template.Resources?.[name]?.Type ?? 'resource';
    const known = Object.keys(resource.attributes).join(', ') || 'none';
    throw new TemplateError(where, `the local engine's ${type} (${name}) has no attribute ${attribute}; it has ${known}.`);
  }

  /** @internal */
  mapping(map: string, first: string, second: string, where: Where): unknown {
    const value = this.#options.template.Mappings?.[map]?.[first]?.[second];
    if (value === undefined) throw new TemplateError(where, `Fn::FindInMap: there is no ${map}.${first}.${second}.`);
    return value;
  }

  /** @internal */
  imported(name: string, where: Where): string {
    const value = this.#options.exports.get(name);
    if (value !== undefined) return value;
    const known = [...this.#options.exports.keys()].join(', ') || 'nothing';
    throw new TemplateError(
      where,
      `Fn::ImportValue: no stack before this one exports ${name}; exported is ${known}. Run the stack that does as well: name both with \`stack\` (--stack a,b).`,
    );
  }

  finish(value: unknown): unknown {
    return typeof value === 'string' ? this.#options.finish(value) : value;
  }

  #plain(text: string, where: Where): string {
    if (text.includes('{{resolve:'))
      throw new TemplateError(
        where,
        `the dynamic reference ${text} cannot be resolved locally; give the value through the app (context or environment).`,
      );
    return text;
  }

  #call(name: string, argument: unknown, whole: Record<string, unknown>, where: Where): unknown {
    if (name === 'Condition')
      return typeof argument === 'string' && Object.hasOwn(this.#options.template.Conditions ?? {}, argument)
        ? this.condition(argument, where)
        : whole;
    const intrinsic = Object.hasOwn(INTRINSICS, name) ? INTRINSICS[name] : undefined;
    if (intrinsic === undefined)
      throw new TemplateError(where, `${name} is not supported locally. Supported: ${Object.keys(INTRINSICS).join(', ')}.`);
    return this.finish(intrinsic(this, argument, where));
  }
}

const inside = (where: Where, step: string): Where => ({
  ...where,
  property: where.property === undefined ? step : `${where.property}.${step}`,
});

function list(argument: unknown, length: number | null, name: string, where: Where): unknown[] {
  if (Array.isArray(argument) && (length === null || argument.length === length)) return argument as unknown[];
  throw new TemplateError(
    where,
    `${name} takes a list${length === null ? '' : ` of ${length}`}, not ${JSON.stringify(argument)}.`,
  );
}

function substitute(resolver: Resolver, argument: unknown, where: Where): string {
  const [text, variables] = typeof argument === 'string' ? [argument, {}] : list(argument, 2, 'Fn::Sub', where);
  if (typeof text !== 'string' || !isObject(variables))
    throw new TemplateError(where, 'Fn::Sub takes text, or text and a map.');
  return text.replace(/\$\{(!?)([^}]+)\}/g, (_whole, literal: string, name: string) => {
    if (literal === '!') return `\${${name}}`;
    if (Object.hasOwn(variables, name)) return resolver.text(variables[name], where);
    const dot = name.indexOf('.');
    return String(dot < 0 ? resolver.ref(name, where) : resolver.attribute(name.slice(0, dot), name.slice(dot + 1), where));
  });
}

const INTRINSICS: Readonly<Record<string, Intrinsic>> = {
  Ref: (resolver, argument, where) => resolver.ref(String(argument), where),
  'Fn::GetAtt': (resolver, argument, where) => {
    const [name, attribute] =
      typeof argument === 'string'
        ? [argument.slice(0, argument.indexOf('.')), argument.slice(argument.indexOf('.') + 1)]
        : list(argument, 2, 'Fn::GetAtt', where);
    return resolver.attribute(String(name), resolver.text(attribute, where), where);
  },
  'Fn::Sub': substitute,
  'Fn::Join': (resolver, argument, where) => {
    const [separator, parts] = list(argument, 2, 'Fn::Join', where);
    const values = resolver.value(parts, where);
    return list(values, null, 'Fn::Join', where)
      .map((one) => resolver.text(one, where))
      .join(String(separator));
  },
  'Fn::Select': (resolver, argument, where) => {
    const [index, from] = list(argument, 2, 'Fn::Select', where);
    const values = list(resolver.value(from, where), null, 'Fn::Select', where);
    const chosen = values[Number(resolver.text(index, where))];
    if (chosen === undefined)
      throw new TemplateError(where, `Fn::Select: there is no element ${String(index)} of ${values.length}.`);
    return chosen;
  },
  'Fn::Split': (resolver, argument, where) => {
    const [separator, text] = list(argument, 2, 'Fn::Split', where);
    return resolver.text(text, where).split(String(separator));
  },
  'Fn::Base64': (resolver, argument, where) => Buffer.from(resolver.text(argument, where)).toString('base64'),
  'Fn::FindInMap': (resolver, argument, where) => {
    const [map, first, second] = list(argument, 3, 'Fn::FindInMap', where).map((one) => resolver.text(one, where));
    return resolver.mapping(map ?? '', first ?? '', second ?? '', where);
  },
  'Fn::If': (resolver, argument, where) => {
    const [name, yes, no] = list(argument, 3, 'Fn::If', where);
    return resolver.value(resolver.condition(String(name), where) ? yes : no, where);
  },
  'Fn::Equals': (resolver, argument, where) => {
    const [a, b] = list(argument, 2, 'Fn::Equals', where).map((one) => resolver.value(one, where));
    return JSON.stringify(a) === JSON.stringify(b) || String(a) === String(b);
  },
  'Fn::And': (resolver, argument, where) =>
    list(argument, null, 'Fn::And', where).every((one) => resolver.value(one, where) === true),
  'Fn::Or': (resolver, argument, where) =>
    list(argument, null, 'Fn::Or', where).some((one) => resolver.value(one, where) === true),
  'Fn::Not': (resolver, argument, where) => resolver.value(list(argument, 1, 'Fn::Not', where)[0], where) !== true,
  'Fn::GetAZs': (resolver, _argument, where) =>
    ['a', 'b', 'c'].map((zone) => `${String(resolver.ref('AWS::Region', where))}${zone}`),
  'Fn::ImportValue': (resolver, argument, where) => resolver.imported(resolver.text(argument, where), where),
};
