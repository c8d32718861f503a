/** An error as RFC 9457 problem details. `parameter` names what the caller can change. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly title: string;
  readonly parameter: string | undefined;

  constructor(status: number, title: string, detail: string, parameter?: string) {
    super(detail);
    this.status = status;
    this.title = title;
    this.parameter = parameter;
  }

  body(): object {
    const { status, title, message: detail, parameter } = this;
    return { type: 'about:blank', title, status, detail, ...(parameter === undefined ? {} : { parameter }) };
  }
}
