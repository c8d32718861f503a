import { Function as LambdaFunction, type LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';
import type { AuditTarget } from './attach.ts';
import { type AuditAllOptions, type AuditOptions, attachAtSynth, markOwn, obstacle, selector } from './audit.ts';
import { auditLayer, builtLayers, type LayerVariant } from './layer.ts';
import { type AuditProps, readAuditProps, readSettings } from './props.ts';

/** What audits functions of an app: a construct that knows where their evidence goes. */
export abstract class Auditor extends Construct implements AuditTarget {
  /** Where audited functions put their segments. */
  abstract readonly bucket: AuditTarget['bucket'];
  abstract readonly evidenceKeyArn: AuditTarget['evidenceKeyArn'];
  /** Hears what the platform says of audited functions; undefined when nobody does. */
  abstract readonly witness: AuditTarget['witness'];
  private readonly layerDirectory: string;
  private readonly auditEnvironment: Readonly<Record<string, string>>;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AuditProps) {
    super(scope, id);
    markOwn(this);
    this.auditEnvironment = readAuditProps(this.node.path, props);
    this.layerDirectory = props.layerDirectory ?? builtLayers;
  }

  /**
   * Audits these functions: adds the layer, the environment and the permission to write segments under the function's own prefix.
   * Their code and handler stay as they are.
   * @throws Error saying why when one of them cannot be audited, when a setting is not valid, or when the layer has not been built.
   */
  audit(fns: LambdaFunction | readonly LambdaFunction[], options: AuditOptions = {}): this {
    const settings = this.environmentFor(options);
    for (const fn of Array.isArray(fns) ? (fns as readonly LambdaFunction[]) : [fns as LambdaFunction]) {
      if (!(fn instanceof LambdaFunction)) {
        const path = (fn as Partial<IConstruct> | undefined)?.node?.path ?? String(fn);
        throw new Error(
          `Alastor cannot audit ${path}: it is not a function of this app. Give the Function itself, not an alias.`,
        );
      }
      const reason = obstacle(fn);
      if (reason !== null) throw new Error(`Alastor cannot audit ${fn.node.path}: ${reason}.`);
      attachAtSynth(this, fn, settings, (one) => one === fn);
    }
    return this;
  }

  /** Audits all functions below `scope`, also those added later; a warning names each one that cannot be. */
  auditAll(scope: IConstruct, options: AuditAllOptions = {}): this {
    attachAtSynth(this, scope, this.environmentFor(options), selector(options));
    return this;
  }

  /** The layer for a kind of runtime; made when the first function needs it. */
  layer(variant: LayerVariant): LayerVersion {
    const id = variant === 'layer' ? 'Layer' : 'LayerWithNode';
    return (this.node.tryFindChild(id) as LayerVersion | undefined) ?? auditLayer(this, id, this.layerDirectory, variant);
  }

  private environmentFor({ settings }: AuditOptions): Readonly<Record<string, string>> {
    return { ...this.auditEnvironment, ...readSettings(this.node.path, settings) };
  }
}
