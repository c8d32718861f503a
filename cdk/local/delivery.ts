/** An event as EventBridge passes it on. */
export interface BusEvent {
  readonly version: string;
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
}

export interface DeliveryContext {
  /** ARN of what sends: bucket, rule or topic. */
  readonly sourceArn: string;
  /** Subject when the target is a topic. */
  readonly subject?: string;
  readonly messageGroupId?: string;
}

/** Hands an event from one service to another. Resolves when the target has accepted it; rejects with the reason otherwise. */
export interface Deliver {
  /** To a function (asynchronously invoked), a queue, a topic or an event bus, by ARN. */
  to(arn: string, payload: string, context: DeliveryContext): Promise<void>;
  /** To the default event bus, for services that publish their own events there. */
  publish(event: BusEvent): Promise<void>;
}
