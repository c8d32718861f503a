/** Reads CloudWatch's embedded metric format: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */

export interface Datum {
  readonly namespace: string;
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly dimensions: Readonly<Record<string, string>>;
}

interface Embedded {
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

/** What CloudWatch would make of a log line; nothing for lines that are not in the format. A prefix before the JSON is skipped. */
export function embedded(line: string): readonly Datum[] {
  const start = line.indexOf('{"_aws"');
  if (start < 0) return [];
  const said = JSON.parse(line.slice(start)) as Embedded;
  return (said._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions, Metrics }) =>
    Dimensions.flatMap((names) =>
      Metrics.map(({ Name, Unit }) => ({
        ...{ namespace: Namespace, name: Name, unit: Unit, values: [said[Name]].flat() as number[] },
        dimensions: Object.fromEntries(names.map((name) => [name, String(said[name])])),
      })),
    ),
  );
}

export const sum = (data: readonly Datum[], name: string, fn?: string) =>
  data
    .filter((one) => one.name === name && one.dimensions.function === fn)
    .flatMap(({ values }) => values)
    .reduce((total, value) => total + value, 0);
