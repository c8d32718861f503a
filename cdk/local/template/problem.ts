/** Where in a template something stands. */
export interface Where {
  readonly stack: string;
  readonly logicalId: string;
  /** `aws:cdk:path`, when the template has it. */
  readonly constructPath?: string | undefined;
  /** E.g. `Properties.Code.S3Key`. */
  readonly property?: string | undefined;
}

function place(where: Where): string {
  const path = where.constructPath === undefined ? '' : ` (construct ${where.constructPath})`;
  const property = where.property === undefined || where.property === '' ? '' : `, ${where.property}`;
  return `stack ${where.stack}, ${where.logicalId}${path}${property}`;
}

/** Something in a template that the local engine cannot run as it would run on AWS. */
export class TemplateError extends Error {
  readonly where: Where;

  constructor(where: Where, problem: string, options?: ErrorOptions) {
    super(`${place(where)}: ${problem}`, options);
    this.name = 'TemplateError';
    this.where = where;
  }
}
