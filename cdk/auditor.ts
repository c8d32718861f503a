import { CfnOutput } from 'aws-cdk-lib';
import { Architecture, type IFunction, type LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';
import type { AuditTarget } from './attach.ts';
import { type AuditAllOptions, type AuditOptions, attachAtSynth, selector } from './audit.ts';
import { auditLayer, builtLayers, type LayerVariant, layerArchitecture, layerFolder, nameOf } from './layer.ts';
import { functionBehind, markOwn, obstacle } from './obstacle.ts';
import { type AuditProps, readAuditProps, readSettings } from './props.ts';
import { AuditReport } from './report.ts';

/** A function, an alias or a version; an imported function is refused with a clear error. */
export type Auditable = Pick<IFunction, 'functionArn' | 'functionName' | 'node'>;

/** What audits functions of an app: a construct that knows where their evidence goes. */
export abstract class Auditor extends Construct implements AuditTarget {
  /** Where audited functions put their segments. */
  abstract readonly bucket: AuditTarget['bucket'];
  abstract readonly qualified: boolean;
  abstract readonly evidenceKeyArn: AuditTarget['evidenceKeyArn'];
  /** Hears what the platform says of audited functions; undefined when nobody does. */
  abstract readonly witness: AuditTarget['witness'];
  private readonly layerDirectory: string;
  private readonly report = new AuditReport(this);
  private readonly auditEnvironment: Readonly<Record<string, string>>;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AuditProps) {
    super(scope, id);
    markOwn(this);
    this.auditEnvironment = readAuditProps(this.node.path, props);
    this.layerDirectory = props.layerDirectory ?? builtLayers;
    this.publishLayers(props.publishLayers ?? false);
  }

  /**
   * Audits these functions: adds the layer, the environment and the permission to write segments under the function's own prefix.
   * Their code and handler stay as they are. An alias, or `currentVersion`, stands for its function.
   * @throws Error saying why when one of them cannot be audited, when a setting is not valid, or when the layer has not been built;
   * some of it only when the app is synthesised.
   */
  audit(fns: Auditable | readonly Auditable[], options: AuditOptions = {}): this {
    const settings = this.environmentFor(options);
    for (const given of Array.isArray(fns) ? (fns as readonly Auditable[]) : [fns as Auditable]) {
      const fn = functionBehind(given);
      const reason = obstacle(fn);
      if (reason !== null) throw new Error(`Alastor cannot audit ${fn.node.path}: ${reason}.`);
      attachAtSynth(fn, { target: this, settings, selects: (one) => one === fn, named: true, report: this.report });
    }
    return this;
  }

  /** Audits all functions below `scope`, also those added later; a warning names each one that cannot be. */
  auditAll(scope: IConstruct, options: AuditAllOptions = {}): this {
    const settings = this.environmentFor(options);
    attachAtSynth(scope, { target: this, settings, selects: selector(options), named: false, report: this.report });
    return this;
  }

  /** The layer for a kind of runtime and a processor; made when the first function needs it. */
  layer(variant: LayerVariant, architecture: Architecture = layerArchitecture): LayerVersion {
    return auditLayer(this, this.layerDirectory, variant, architecture);
  }

  /**
   * Makes all layers that are built, for functions that attach them by their ARN, and names the ARNs in outputs: `<id>LayerX64Arn`,
   * `<id>LayerWithNodeX64Arn`, `<id>LayerArm64Arn`, `<id>LayerWithNodeArm64Arn`.
   */
  private publishLayers(publish: boolean | { readonly organizationId: string }): void {
    if (publish === false) return;
    for (const architecture of [Architecture.X86_64, Architecture.ARM_64]) {
      for (const variant of ['layer', 'layer-with-node'] as const) {
        const own = architecture.name === layerArchitecture.name;
        if (!own && layerFolder(this.layerDirectory, variant, architecture) === null) continue;
        const layer = this.layer(variant, architecture);
        if (publish !== true) layer.addPermission('Organization', { accountId: '*', ...publish });
        const processor = nameOf(architecture) === 'arm64' ? 'Arm64' : 'X64';
        const name = `${variant === 'layer' ? 'Layer' : 'LayerWithNode'}${processor}Arn`;
        this.output(name, layer.layerVersionArn, `Layer for ${architecture.name}: ${variant}`);
      }
    }
  }

  /** Outputs get names that a script can rely on, without the hash that CDK appends. */
  protected output(name: string, value: string, description: string): void {
    const output = new CfnOutput(this, `Output${name}`, { value, description });
    output.overrideLogicalId(`${this.node.id}${name}`.replace(/[^A-Za-z0-9]/g, ''));
  }

  private environmentFor({ settings }: AuditOptions): Readonly<Record<string, string>> {
    return { ...this.auditEnvironment, ...readSettings(this.node.path, settings) };
  }
}
